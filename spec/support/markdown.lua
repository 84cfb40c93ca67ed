---The Lua blocks of a page in Markdown, as programs.

local M = {}

---@class support.Block
---@field line integer where its code begins
---@field code string
---@field words table<string, boolean> of the line that opens it, beside "lua"
---@field options string of the command: the words from the first that begins with dashes on
---@field before string? code of the comment before it
---@field text string? what the block of text behind it says
---@field name string? of the file, if the first line is "-- NAME.lua"

---@param text string
---@return support.Block[]
function M.blocks(text)
  local blocks, block = {}, nil
  local before, comment, shown -- what stands before a block; a comment and a block of text that are open
  local last -- the block that a block of text belongs to
  local n = 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    n = n + 1
    local info = line:match "^```(.*)$"
    if block then
      if info then
        block.code = table.concat(block.lines, "\n") .. "\n"
        block.name = block.code:match "^%-%- ([%w_]+%.lua)\n"
        blocks[#blocks + 1] = block
        last, block = block, nil
      else
        block.lines[#block.lines + 1] = line
      end
    elseif comment then
      if line == "-->" then
        before, comment = table.concat(comment, " "), nil
      else
        comment[#comment + 1] = line
      end
    elseif shown then
      if info then
        if shown.block then
          shown.block.text = table.concat(shown, "\n") .. "\n"
        end
        shown, last = nil, nil
      else
        shown[#shown + 1] = line
      end
    elseif info and info:match "^%a*" == "lua" then
      block = { line = n + 1, lines = {}, words = {}, options = info:match "%-%-.*" or "", before = before }
      for word in info:gmatch "%S+" do
        block.words[word] = true
      end
      before = nil
    elseif info then
      shown = { block = info == "text" and last or nil }
    elseif line == "<!-- lua" then
      comment = {}
    elseif line ~= "" then
      before, last = nil, nil
    end
  end
  return blocks
end

return M
