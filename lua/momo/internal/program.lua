---The program that the momo command was given. Returns the function that runs it, on each thread.

---@param source string
---@param name string that errors show it under, as loadstring takes it
---@param words string[] its arguments; [0] is its file
return function(source, name, words)
  local program, err = loadstring(source, name)
  if not program then
    error(err, 0)
  end
  rawset(_G, "arg", words)
  return program(unpack(words)) -- a tail call: tracebacks begin with the program
end
