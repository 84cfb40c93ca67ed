---`pairs` for Momo's own loops. By that name LuaJIT gives a loop an instruction of its own, and takes it back while the
---loop runs when no trace could be made of it; until April 2022 (Debian 12 has an earlier one) such a loop may then end
---too early, or bring a key that the table does not have: https://github.com/LuaJIT/LuaJIT/issues/827.
---By any other name it is a call like others, and compiled as they are.
return pairs
