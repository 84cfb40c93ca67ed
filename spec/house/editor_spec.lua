-- What an editor knows of Momo from the annotations of the sources as they are installed, beside what there really is.

local SOURCE = os.getenv "MOMO_SOURCE_DIR"
package.path = SOURCE .. "/?.lua;" .. package.path

local editor = require "spec.support.editor"
local public = require "docs.tool.public"

local sight = editor.look(SOURCE .. "/lua")
local pages = public.collect(SOURCE .. "/lua")

local function assert_none(problems)
  table.sort(problems)
  assert(#problems == 0, "\n" .. table.concat(problems, "\n"))
end

describe("an editor", function()
  it("understands every annotation, knows every type, and finds each parameter where it is said to be", function()
    assert_none(sight.problems)
    assert.is_true(#sight.named > 2000, #sight.named .. " types were found")
  end)

  it("sees every function of each module, and every method of each class", function()
    local problems, seen = {}, 0
    for _, page in ipairs(pages) do
      for _, item in ipairs(page.items) do
        local known = page.is_class and editor.member(sight, page.name, item.name)
          or not page.is_class and (sight.modules[page.name] or {})[item.name]
          or item.path == page.name and sight.classes[page.name] -- it is a function, too, by an overload of its class
        seen = seen + 1
        if not known then
          problems[#problems + 1] = ("%s, of %s:%d, is not seen"):format(item.path, item.source, item.line)
        end
      end
    end
    assert_none(problems)
    assert.is_true(seen > 300, seen .. " functions were found")
  end)

  it("sees no method that an object does not have", function()
    local problems, seen = {}, 0
    for class, methods in pairs(public.methods()) do
      for name in pairs(editor.functions(sight, class)) do
        seen = seen + 1
        if not methods[name] and not name:find "^__" then
          problems[#problems + 1] = ("%s:%s, of %s, is not there"):format(class, name,
            editor.member(sight, class, name))
        end
      end
    end
    assert_none(problems)
    assert.is_true(seen > 150, seen .. " methods were found")
  end)

  it("takes an end of either kind of channel where one is asked for, and a listener of either kind", function()
    for child, parent in pairs {
      ["momo.thread.Sender"] = "momo.Sender",
      ["momo.thread.Receiver"] = "momo.Receiver",
      ["momo.net.TcpListener"] = "momo.Listener",
      ["momo.net.UnixListener"] = "momo.Listener",
      ["momo.net.TcpStream"] = "momo.Stream",
      ["momo.net.UnixStream"] = "momo.Stream",
    } do
      assert.same({ parent }, sight.classes[child].parents)
    end
    for _, page in ipairs(pages) do
      for _, item in ipairs(page.items) do
        for _, param in ipairs(item.params) do
          if param.name == "timeout" then
            assert.same({ "number", true }, { param.type, param.optional }, item.path)
          elseif param.name == "listener" then
            assert.equal("momo.Listener", param.type, item.path)
          end
        end
      end
    end
  end)
end)
