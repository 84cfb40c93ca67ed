-- Instructions an operation, as `./dev bench --check` counts them. A path that takes more than `tolerance` beyond this
-- fails the check. After a change that is meant to cost, or has made a path lighter: ./dev bench --check --update

return {
  tolerance = 0.03,
  ["spawn"] = 1218.1,
  ["join"] = 2264.5,
  ["yield, 1 task"] = 337.6,
  ["yield, 1000 tasks"] = 323.4,
  ["sleep"] = 1064.6,
  ["timeout"] = 1366.9,
  ["channel, unbounded"] = 81.0,
  ["channel of 128"] = 100.9,
  ["ping-pong"] = 2479.2,
  ["echo"] = 7112.0,
}
