---The program that the momo command was given. Returns the function that runs it, on each thread.

---@param source string
---@param name string that errors show it under, as loadstring takes it
---@param words string[] its arguments; [0] is its file
---@param trace string? file of a trace that this thread takes part in
return function(source, name, words, trace)
  local program, err = loadstring(source, name)
  if not program then
    error(err, 0)
  end
  rawset(_G, "arg", words)
  if trace then
    assert(require("momo.trace").join(trace))
  end
  return program(unpack(words)) -- a tail call: tracebacks begin with the program
end
