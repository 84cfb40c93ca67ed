---A profile as a flame graph, in SVG. Returns the function that draws it.

local WIDTH, ROW, MARGIN = 1200, 17, 10 -- pixels
local HEAD = 40                         -- above the boxes
local BOX_MIN, TEXT_MIN = 0.3, 30       -- narrower ones are left out, or have no text
local LETTER = 6.6                      -- a letter's width

local KINDS = { compiled = "#7fbf7b", interpreted = "#f4a259", C = "#7aa6d8", GC = "#d97b93", compiler = "#b9a3d6" }
local ORDER = { "compiled", "interpreted", "C", "GC", "compiler" }
local SHADES = { "#f6d186", "#f3c970", "#f8da9b", "#efc05f" } -- of the program's functions

local ESCAPED = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text)
  return (text:gsub("%c", " "):gsub('[&<>"]', ESCAPED))
end

local function child_of(node, name, kind)
  local child = node.by_name[name]
  if not child then
    child = { name = name, kind = kind, seconds = 0, by_name = {}, children = {} }
    node.by_name[name] = child
    node.children[#node.children + 1] = child
  end
  return child
end

local function tree_of(profile)
  local root = { name = "all", seconds = 0, by_name = {}, children = {} }
  for _, stack in ipairs(profile.stacks) do
    local path = { child_of(root, stack.task) }
    for i, frame in ipairs(stack.frames) do
      path[i + 1] = child_of(path[i], frame)
    end
    path[#path + 1] = child_of(path[#path], stack.state, stack.state)
    root.seconds = root.seconds + stack.seconds
    for _, node in ipairs(path) do
      node.seconds = node.seconds + stack.seconds
    end
  end
  return root
end

local function depth_of(node)
  local deepest = 0
  for _, child in ipairs(node.children) do
    deepest = math.max(deepest, depth_of(child))
  end
  return deepest + 1
end

local function shade(name)
  local sum = 0
  for i = 1, #name do
    sum = sum + name:byte(i)
  end
  return SHADES[sum % #SHADES + 1]
end

local function draw_box(out, node, x, y, width, total)
  local letters = math.floor((width - 6) / LETTER)
  local text = #node.name <= letters and node.name or letters > 3 and node.name:sub(1, letters - 2) .. ".." or ""
  out[#out + 1] = ("<g><title>%s: %.3f s, %.1f %%</title>"):format(escape(node.name), node.seconds,
    100 * node.seconds / total)
  out[#out + 1] = ('<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="1" fill="%s"/>'):format(x, y, width - 0.3,
    ROW - 1, KINDS[node.kind] or shade(node.name))
  if width >= TEXT_MIN and text ~= "" then
    out[#out + 1] = ('<text x="%.1f" y="%d">%s</text>'):format(x + 3, y + ROW - 5, escape(text))
  end
  out[#out + 1] = "</g>\n"
end

local function draw(out, node, x, depth, scale, place)
  local width = node.seconds * scale
  if width < BOX_MIN then
    return
  end
  draw_box(out, node, x, place.foot - depth * ROW, width, place.total)
  table.sort(node.children, function(a, b) return a.name < b.name end)
  for _, child in ipairs(node.children) do
    draw(out, child, x, depth + 1, scale, place)
    x = x + child.seconds * scale
  end
end

---@param profile momo.Profile
---@return string svg
return function(profile)
  local root = tree_of(profile)
  local height = HEAD + depth_of(root) * ROW + MARGIN
  local out = { ([[
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="monospace" font-size="11">
<rect width="100%%" height="100%%" fill="#fffdf7"/>
<text x="%d" y="18" font-size="13">%.3f s computed in %.3f s</text>
]]):format(WIDTH, height, MARGIN, profile.cpu, profile.seconds) }
  for i, kind in ipairs(ORDER) do
    local x = 420 + (i - 1) * 150
    out[#out + 1] = ('<rect x="%d" y="7" width="14" height="14" fill="%s"/><text x="%d" y="18">%s %.0f %%</text>\n')
      :format(x, KINDS[kind], x + 19, kind, root.seconds > 0 and 100 * (profile.states[kind] or 0) / root.seconds or 0)
  end
  if root.seconds > 0 then
    draw(out, root, MARGIN, 1, (WIDTH - 2 * MARGIN) / root.seconds, { foot = height - MARGIN, total = root.seconds })
  end
  out[#out + 1] = "</svg>\n"
  return table.concat(out)
end
