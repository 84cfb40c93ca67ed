-- Instructions an operation, as `./dev bench --check` counts them. A path that takes more than `tolerance` beyond this
-- fails the check. After a change that is meant to cost, or has made a path lighter: ./dev bench --check --update

return {
  tolerance = 0.03,
  ["spawn"] = 1289.2,
  ["join"] = 2016.8,
  ["join, with a result"] = 2151.9,
  ["child of a scope"] = 1822.0,
  ["yield, 1 task"] = 336.7,
  ["yield, 1000 tasks"] = 350.1,
  ["sleep"] = 1078.0,
  ["timeout"] = 1390.9,
  ["channel, unbounded"] = 76.9,
  ["channel of 128"] = 90.3,
  ["ping-pong"] = 1734.4,
  ["thread channel, number"] = 470.0,
  ["thread channel, string"] = 502.3,
  ["echo"] = 5550.1,
  ["http, hello"] = 8970.8,
  ["http, one header"] = 9948.8,
  ["http, 16 pipelined"] = 6122.7,
  ["http, a file"] = 37334.3,
}
