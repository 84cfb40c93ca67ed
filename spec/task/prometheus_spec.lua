-- What a program counts itself, and all that is counted as the text that Prometheus collects.

local momo = require "momo"
local prometheus = require "spec.support.prometheus"
local support = require "spec.support"

local metrics = momo.metrics

local function scrape()
  return select(2, prometheus.parse(metrics.prometheus()))
end

-- Calls it on another thread, as a function that has no upvalues.
local function on_thread(f, ...)
  return assert(momo.thread.spawn(f, ...))
end

local function on_run(body)
  return function() momo.run(body) end
end

describe("a counter", function()
  it("adds up, by the values of its labels", on_run(function()
    local plain = metrics.counter("c1_total", "Plain.")
    local labelled = metrics.counter("c2_total", 'With "labels" \\ and\nlines.', { "method", "status" })
    plain:add()
    plain:add(2.5)
    plain:add(0)
    labelled:with("GET", 200):add()
    labelled:with("GET", "200"):add(2)
    labelled:with("GET", 404):add()
    labelled:with('a"b\\c\nd', true):add(7)
    local value = scrape()
    assert.equal(3.5, value "c1_total")
    assert.equal(3, value 'c2_total{method="GET",status="200"}')
    assert.equal(1, value 'c2_total{method="GET",status="404"}')
    assert.equal(7, value 'c2_total{method="a\\"b\\\\c\\nd",status="true"}')
    assert.equal(labelled:with("GET", 200), labelled:with("GET", "200"))
  end))

  it("has any strings and whole numbers for labels: what is no UTF-8 is replaced", on_run(function()
    local replaced = "\239\191\189"
    local counter = metrics.counter("any_labels_total", "No \255UTF-8.", { "of" })
    counter:with("a\0b"):add(1)
    counter:with("a\255b"):add(2)
    counter:with("\f"):add(4)
    counter:with(2 ^ 70):add(8)
    counter:with(-0):add(16)
    counter:with(0):add(32)
    local value = scrape()
    assert.equal(3, value('any_labels_total{of="a' .. replaced .. 'b"}'))
    assert.equal(4, value 'any_labels_total{of="\f"}')
    assert.equal(8, value 'any_labels_total{of="1180591620717411303424"}')
    assert.equal(48, value 'any_labels_total{of="0"}')
    assert.is_truthy(metrics.prometheus():find("# HELP any_labels_total No " .. replaced .. "UTF-8.\n", 1, true))
  end))

  it("is the same one when it is defined again", on_run(function()
    local counter = metrics.counter("c3_total", "One.")
    counter:add()
    assert.equal(counter, metrics.counter("c3_total", "The same one."))
    assert.equal(1, scrape() "c3_total")
  end))

  it("is whole up to 2^53, and beyond that as exact as a number is", on_run(function()
    metrics.counter("c4_total", "Large."):add(2 ^ 53 - 1)
    metrics.counter("c5_total", "Fine."):add(0.1 + 0.2)
    local text = metrics.prometheus()
    assert.matches("\nc4_total 9007199254740991\n", text)
    assert.equal(0.1 + 0.2, select(2, prometheus.parse(text)) "c5_total")
  end))
end)

describe("a gauge", function()
  it("goes up and down", on_run(function()
    local gauge = metrics.gauge("g1", "One.")
    gauge:set(5)
    gauge:add(-7)
    gauge:add()
    local by = metrics.gauge("g2", "More.", { "of" })
    by:with("a"):set(math.huge)
    by:with("b"):set(-0.5)
    local value = scrape()
    assert.equal(-1, value "g1")
    assert.equal(math.huge, value 'g2{of="a"}')
    assert.equal(-0.5, value 'g2{of="b"}')
  end))
end)

describe("a histogram", function()
  it("counts values up to each bound", on_run(function()
    local histogram = metrics.histogram("h1", "One.", nil, { 1, 2, 4 })
    for _, value in ipairs { 0.5, 1, 1.5, 4, 4.5, 100 } do histogram:observe(value) end
    metrics.histogram("h2_seconds", "By route.", { "route" }):with("/"):observe(0.3)
    local value = scrape()
    local found = {}
    for _, bound in ipairs { "1", "2", "4", "+Inf" } do
      found[#found + 1] = value(('h1_bucket{le="%s"}'):format(bound))
    end
    assert.same({ 2, 3, 4, 6 }, found)
    assert.same({ 111.5, 6 }, { value "h1_sum", value "h1_count" })
    assert.equal(0, value 'h2_seconds_bucket{route="/",le="0.25"}')
    assert.equal(1, value 'h2_seconds_bucket{route="/",le="0.5"}')
  end))
end)

describe("the text", function()
  it("sums what all threads count, those that have ended too", on_run(function()
    local function count(go)
      local m = require "momo"
      m.metrics.counter("t1_total", "Of threads.", { "of" }):with("all"):add(10)
      m.metrics.gauge("t2", "Of threads."):add(1)
      m.metrics.histogram("t3", "Of threads.", nil, { 1, 2 }):observe(1.5)
      if go then go:recv() end
    end
    local before = scrape() "momo_tasks_spawned_total"
    local tx, rx = momo.thread.channel(1)
    local short, long = on_thread(count), on_thread(count, rx)
    count()
    short:join()
    local value
    repeat -- the other one may just begin
      momo.time.sleep(0.001)
      value = scrape()
    until value "t2" == 2
    assert.same({ 30, 2, 3, 4.5, 0 }, { value 't1_total{of="all"}', value "t2", value 't3_bucket{le="2"}',
      value "t3_sum", value "momo_executors_silent" })
    assert.equal(2, value "momo_executors")
    assert.equal(1, value "momo_threads")
    local spawned = value "momo_tasks_spawned_total"
    assert.is_true(spawned >= before + 2)
    tx:send(true)
    long:join()
    value = scrape()
    assert.same({ 30, 1, 3, 1 }, { value 't1_total{of="all"}', value "t2", value "t3_count", value "momo_executors" })
    assert.is_true(value "momo_tasks_spawned_total" >= spawned)
  end))

  it("sums labels with zero bytes and form feeds of another thread", on_run(function()
    local tx, rx = momo.thread.channel(1)
    local counting = on_thread(function(go)
      local counter = require("momo").metrics.counter("t4_total", "Of a thread.", { "of" })
      counter:with("a\0b"):add()
      counter:with("c\fd"):add()
      counter:with("e\ff"):add()
      go:recv()
    end, rx)
    local value
    repeat -- it may just begin
      momo.time.sleep(0.001)
      value = scrape()
    until value 't4_total{of="e\ff"}'
    assert.equal(1, value 't4_total{of="a\239\191\189b"}')
    assert.equal(1, value 't4_total{of="c\fd"}')
    tx:send(true)
    counting:join()
  end))

  it("tells of a thread that does not come round as it was, and counts it", on_run(function()
    local tx, rx = momo.thread.channel(1)
    local go_tx, go_rx = momo.thread.channel(1)
    local stuck = on_thread(function(said, go)
      local m, ffi = require "momo", require "ffi"
      m.metrics.counter("s1_total", "Of the stuck one."):add(5)
      said:send "ready"
      go:recv()
      m.metrics.counter("s1_total", "Of the stuck one."):add(100)
      said:send "stuck"
      m.yield_now() -- tells it
      ffi.cdef "int poll(void *, unsigned long, int);"
      ffi.C.poll(nil, 0, 1500)
    end, tx, go_rx)
    assert.equal("ready", rx:recv())
    assert.equal(5, scrape() "s1_total")
    go_tx:send(true)
    assert.equal("stuck", rx:recv())
    momo.time.sleep(0.05)
    local value = scrape()
    assert.same({ 5, 1, 2 }, { value "s1_total", value "momo_executors_silent", value "momo_executors" })
    stuck:join()
    value = scrape()
    assert.same({ 105, 0, 1 }, { value "s1_total", value "momo_executors_silent", value "momo_executors" })
  end))

  it("can be had outside of a task, without waiting for anybody", function()
    metrics.counter("o1_total", "Outside."):add()
    assert.equal(1, scrape() "o1_total")
  end)

  it("is asked for by several tasks and threads at once", on_run(function()
    local threads = {}
    for i = 1, 3 do
      threads[i] = on_thread(function()
        local m = require "momo"
        for _ = 1, 20 do
          assert(m.metrics.prometheus():find "momo_executors %d")
        end
      end)
    end
    momo.scope(function(scope)
      for _ = 1, 3 do
        scope:spawn(function()
          for _ = 1, 20 do scrape() end
        end)
      end
    end)
    for _, thread in ipairs(threads) do thread:join() end
    assert.equal(1, scrape() "momo_executors")
  end))

  it("satisfies promtool", on_run(function()
    metrics.counter("p1_total", "A name that promtool likes."):add()
    local path = support.tmpfile(metrics.prometheus())
    -- Of those above, some are named as it would not; what it says of Momo's own is of concern.
    local _, output = support.shell(("command -v promtool >/dev/null || { echo 'install prometheus'; exit; }\n" ..
      "promtool check metrics <%s 2>&1 | grep -E 'momo_|p1_|parsing' || true"):format(support.quote(path)))
    assert.equal("", output)
  end))
end)

describe("a mistake with metrics is told at the caller's line:", function()
  local function assert_fails(pattern, f, ...)
    local line = debug.getinfo(f, "S").linedefined
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    assert.matches("prometheus_spec.lua:" .. line .. ": " .. pattern, err)
  end

  it("wrong names", function()
    assert_fails("counter: a name must be letters, .*got \"a b\"", function() metrics.counter("a b", "") end)
    assert_fails("counter: a name .*got \"1a\"", function() metrics.counter("1a", "") end)
    assert_fails("gauge: a name .*got nil", function() metrics.gauge(nil, "") end)
    assert_fails("gauge: names that begin with momo_", function() metrics.gauge("momo_x", "") end)
    assert_fails("gauge: the help must be a string, got nil", function() metrics.gauge "m1" end)
    assert_fails("metrics.counter: call it with a dot", function() metrics:counter("m1", "") end)
    assert_fails("counter: labels must be an array", function() metrics.counter("m1", "", "x") end)
    assert_fails("counter: label 2 must be letters", function() metrics.counter("m1", "", { "x", "y-z" }) end)
    assert_fails("counter: label 1 must be letters", function() metrics.counter("m1", "", { "__x" }) end)
    assert_fails("counter: label 'x' is taken", function() metrics.counter("m1", "", { "x", "x" }) end)
    assert_fails("histogram: label 'le' is taken", function() metrics.histogram("m1", "", { "le" }) end)
    assert_fails("histogram: bounds .* got 1", function() metrics.histogram("m1", "", nil, { 2, 1 }) end)
    assert_fails("histogram: bounds .*empty", function() metrics.histogram("m1", "", nil, {}) end)
  end)

  it("a second definition that is another one, here or on another thread", function()
    metrics.counter("m2", "", { "x" })
    assert_fails("counter: 'm2' is a counter with the labels %(x%) already, and can't be .* labels %(%)",
      function() metrics.counter("m2", "") end)
    assert_fails("gauge: 'm2' is a counter", function() metrics.gauge("m2", "", { "x" }) end)
    metrics.histogram("m3", "", nil, { 1, 2 })
    assert_fails("histogram: 'm3' is .* and the bounds 1, 2 already",
      function() metrics.histogram("m3", "", nil, { 1 }) end)
    assert_fails("counter: 'm3_sum' would have the same lines as 'm3'", function() metrics.counter("m3_sum", "") end)
    metrics.counter("m4_count", "")
    assert_fails("histogram: 'm4' would have the same lines as 'm4_count'", function() metrics.histogram("m4", "") end)
    momo.run(function()
      on_thread(function() require("momo").metrics.gauge("m5", "") end):join()
    end)
    assert_fails("counter: 'm5' is a gauge", function() metrics.counter("m5", "") end)
  end)

  it("wrong labels", function()
    local counter = metrics.counter("m6", "", { "x", "y" })
    assert_fails("add: 'm6' has labels: m6:with%(x, y%):add", function() counter:add() end)
    assert_fails("with: 'm6' has 2 labels %(x, y%), got 1", function() counter:with "a" end)
    assert_fails("with: 'm6' has 2 labels %(x, y%), got 3", function() counter:with("a", "b", "c") end)
    assert_fails("with: 'm6': label 'y' must be .* got nil", function() counter:with("a", nil) end)
    assert_fails("with: 'm6': label 'x' must be .* got 0.5", function() counter:with(0.5, "b") end)
    assert_fails("with: 'm7' has 0 labels", function() metrics.counter("m7", ""):with "a" end)
    assert_fails("with: call it with a colon", function() counter.with("a", "b") end)
    assert_fails("set: 'm8' has labels", function() metrics.gauge("m8", "", { "x" }):set(1) end)
    assert_fails("observe: 'm9' has labels", function() metrics.histogram("m9", "", { "x" }):observe(1) end)
  end)

  it("wrong values", function()
    local counter, gauge, histogram = metrics.counter("m10", ""), metrics.gauge("m11", ""), metrics.histogram("m12", "")
    assert_fails("add: a counter takes a number, 0 or more, got %-1", function() counter:add(-1) end)
    assert_fails("add: a counter takes a number, 0 or more, got NaN", function() counter:add(0 / 0) end)
    assert_fails("add: a counter takes .* got table", function() counter:add {} end)
    assert_fails("add: a gauge takes a number, got true", function() gauge:add(true) end)
    assert_fails("set: a gauge takes a number, got nil", function() gauge:set() end)
    assert_fails("observe: a histogram takes a number, got NaN", function() histogram:observe(0 / 0) end)
    assert_fails("add: call it with a colon: counter:add", function() counter.add(1) end)
  end)
end)
