-- Instructions an operation, as `./dev bench --check` counts them. A path that takes more than `tolerance` beyond this
-- fails the check. After a change that is meant to cost, or has made a path lighter: ./dev bench --check --update

return {
  tolerance = 0.03,
  ["spawn"] = 1260.4,
  ["join"] = 1836.1,
  ["join, with a result"] = 1954.0,
  ["child of a scope"] = 1613.1,
  ["yield, 1 task"] = 327.8,
  ["yield, 1000 tasks"] = 324.7,
  ["sleep"] = 1078.0,
  ["timeout"] = 238.0,
  ["arm and cancel"] = 8101.2,
  ["channel, unbounded"] = 76.9,
  ["channel of 128"] = 90.1,
  ["ping-pong"] = 1516.6,
  ["thread channel, number"] = 463.0,
  ["thread channel, string"] = 499.0,
  ["echo"] = 4877.7,
  ["http, hello"] = 6799.7,
  ["http, one header"] = 7338.7,
  ["http, 16 pipelined"] = 3300.3,
  ["http, a file"] = 22168.4,
  ["http, the client's get"] = 70519.5,
  ["thread"] = 1482779.5,
  ["start to exit"] = 1816335.0,
}
