-- Instructions an operation, as `./dev bench --check` counts them. A path that takes more than `tolerance` beyond this
-- fails the check. After a change that is meant to cost, or has made a path lighter: ./dev bench --check --update

return {
  tolerance = 0.03,
  ["spawn"] = 1290.5,
  ["join"] = 2017.9,
  ["yield, 1 task"] = 336.7,
  ["yield, 1000 tasks"] = 350.1,
  ["sleep"] = 1078.0,
  ["timeout"] = 1390.8,
  ["channel, unbounded"] = 76.9,
  ["channel of 128"] = 90.3,
  ["ping-pong"] = 1734.4,
  ["echo"] = 5449.0,
}
