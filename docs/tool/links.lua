-- A filter of pandoc's: a link to another page leads to its HTML.

local function lead(link)
  if not link.target:find "^%a+:" then
    link.target = link.target:gsub("%.md$", ".html"):gsub("%.md#", ".html#")
  end
  return link
end

return { { Link = lead } }
