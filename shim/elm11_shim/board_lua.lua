-- board_lua.lua: the board's prompt, globals, import gate and error text on a Lua with 64-bit integers.
--
-- Arguments: emit(bytes) sends to the serial port; pending() tells what the host wants of a running text (0 nothing,
-- 1 'q' was typed, 2 give up); find_program(name) gives a program's text or nil; identity is a table of globals.
-- Returns a table of functions. The host's functions are upvalues of functions here; nothing that user code can
-- reach leads to them, since there is no debug library for it.
local emit, pending, find_program, identity = ...

local debug_getinfo, debug_sethook = debug.getinfo, debug.sethook
local error, load, next, pairs, rawget, select, setmetatable, getmetatable, tostring, tonumber, type, xpcall =
  error, load, next, pairs, rawget, select, setmetatable, getmetatable, tostring, tonumber, type, xpcall
local ipairs = ipairs
local collectgarbage = collectgarbage
local format, find, gsub, match, sub = string.format, string.find, string.gsub, string.match, string.sub
local gmatch = string.gmatch
local pack_float, unpack_float = string.pack, string.unpack
local concat, pack, unpack = table.concat, table.pack, table.unpack
local math_type, huge = math.type, math.huge
local stock = { string = string, table = table, math = math }
local stock_base = _G

local HERE = debug_getinfo(1, "S").source
local HOOK_EVERY = 1000 -- VM instructions between two looks at the host
local LINE_END = "\n\r"
local YELLOW, GREY, ORANGE = "\27[38;5;222m", "\27[38;5;252m", "\27[33m"
local BOLD_RED, BOLD_BLUE, PLAIN = "\27[1m\27[31m", "\27[1m\27[34m", "\27[38;5;222m\27[22m"
local INTERRUPTION = GREY .. "<user interruption>" .. YELLOW
-- Raised to leave a running text altogether; no pcall of the user's keeps them.
local REBOOT, GIVE_UP, OUT_OF_MEMORY = {}, {}, {}

local globals = {}
local syntax_error -- the last one that run_program raised: the board leaves its place without colours

-- ---- numbers as text ------------------------------------------------------------------------------------

local function float_text(x)
  if x ~= x then return "nan" end
  if x == huge then return "inf" end
  if x == -huge then return "-inf" end
  if x > 1e9 or x < -1e9 then return ".0" end
  return format("%f", x)
end

local function board_tostring(...)
  local value = ...
  if math_type(value) == "float" then return float_text(value) end
  return tostring(...)
end

local function single(x) return (unpack_float("<f", pack_float("<f", x))) end

local function board_tonumber(...)
  local text = ...
  local number = tonumber(...)
  if type(text) ~= "string" or select("#", ...) > 1 or not number or find(text, "[xX]") then return number end
  local is_integer = math_type(number) == "integer"
  if is_integer and number <= 0x7fffffff and number >= -0x80000000 then return number end
  if find(text, "-", 1, true) == find(text, "%S") then return 0.0 end
  return single(number)
end

local function print_values(...)
  local texts = pack(...)
  for i = 1, texts.n do
    local text = board_tostring(texts[i])
    if type(text) ~= "string" then error("'__tostring' must return a string") end
    texts[i] = text
  end
  emit(concat(texts, "\t") .. LINE_END)
end

-- ---- functions that are broken on the board --------------------------------------------------------------

local function board_find(...)
  local s, pattern, _, plain = ...
  if (type(s) == "string" or type(s) == "number") and type(pattern) == "string" then
    local without_magic = plain or not find(pattern, "[%^%$%*%+%?%.%(%[%%%-]")
    if without_magic and #pattern > 0 and #pattern <= #tostring(s) then
      emit("memchr" .. LINE_END)
      return nil
    end
  end
  return find(...)
end

local function board_gsub(...)
  local s, pattern, replacement, n = ...
  local kind = type(replacement)
  if kind ~= "string" and kind ~= "number" then return gsub(...) end
  local literal = tostring(replacement)
  local function replace()
    emit("memchr" .. LINE_END)
    return literal
  end
  return gsub(s, pattern, replace, n)
end

local function board_format(...)
  local arguments = pack(...)
  local template = arguments[1]
  if type(template) ~= "string" then return format(...) end
  local i, unknown = 1, nil
  local safe = gsub(template, "%%([-+ #0-9.]*)(.?)", function(flags, conversion)
    if conversion == "%" then return nil end
    if find(conversion, "[eEgG]") then unknown = conversion end
    i = i + 1
    local value = arguments[i]
    if conversion == "s" and math_type(value) == "float" then
      arguments[i] = float_text(value)
    elseif conversion == "f" and type(value) == "number" and value - value ~= 0 then
      arguments[i] = float_text(value)
      return "%s"
    elseif conversion == "f" and type(value) == "number" and (value > 1e9 or value < -1e9) then
      arguments[i] = ""
      return "%s"
    end
    return nil
  end)
  if unknown then error("invalid conversion '%" .. unknown .. "' to 'format'", 2) end
  return format(safe, unpack(arguments, 2, arguments.n))
end

-- ---- error text -------------------------------------------------------------------------------------------

local function is_sentinel(message) return message == REBOOT or message == GIVE_UP or message == OUT_OF_MEMORY end

local function is_ours(info) return info.source == HERE end

-- What the board makes of an error message. info is the function that raised it: run-time errors of the virtual
-- machine come from Lua functions, all others from C functions.
local function board_message(message, info)
  if type(message) ~= "string" or message == INTERRUPTION or message == syntax_error then return message end
  if info.what ~= "C" and not is_ours(info) then
    local place = info.short_src .. ":" .. info.currentline .. ": "
    if sub(message, 1, #place) ~= place then return message end
    local text = "Error: " .. sub(message, #place + 1)
    emit(text .. LINE_END .. "source: " .. info.source .. " line: " .. info.currentline .. LINE_END)
    return place .. text
  end
  if find(message, "^attempt to ") then -- raised by the virtual machine on behalf of a C function
    emit("Error: " .. message .. LINE_END)
    return "Error: " .. message
  end
  local source, line, text = match(message, "^([^\27:\n]+):(%d+): (.*)$")
  if not source or find(text, "^Error: ") then return message end
  return BOLD_RED .. source .. PLAIN .. ":" .. line .. ": " .. text
end

local function function_name(info)
  for name, value in pairs(globals) do
    if value == info.func and type(name) == "string" then return "function '" .. name .. "'" end
  end
  for library in pairs(stock) do
    local functions = rawget(globals, library)
    if type(functions) == "table" then
      for name, value in next, functions do
        if value == info.func and type(name) == "string" then
          return "function '" .. library .. "." .. name .. "'"
        end
      end
    end
  end
  if info.what == "main" then return "main chunk" end -- before the name it has where this file calls it
  if info.namewhat ~= "" then return info.namewhat .. " '" .. info.name .. "'" end
  if info.what == "C" or is_ours(info) then return "?" end
  return "function <" .. info.short_src .. ":" .. info.linedefined .. ">"
end

local run, hook

-- The active functions as the board would list them: functions of this file count as C functions, and what they
-- call themselves is left out.
local function active_functions(level)
  local all = {}
  while true do
    local info = debug_getinfo(level, "Slnft")
    if not info or info.func == run then break end
    all[#all + 1] = info
    if info.func == hook then all = {} end
    level = level + 1
  end
  all[#all] = nil -- the xpcall in run
  local shown = {}
  for i, info in ipairs(all) do
    local below = all[i + 1]
    local inner = (info.what == "C" or is_ours(info)) and below and is_ours(below)
    if not inner then shown[#shown + 1] = info end
  end
  return shown
end

local function traceback()
  local functions = active_functions(4) -- above this function, report and the message handler's call
  local first, last = 10, 11 -- as many as stock Lua shows at either end
  local lines = { BOLD_BLUE .. "stack traceback" .. PLAIN .. ":" }
  local i = 1
  while functions[i] do
    local info = functions[i]
    if i == first + 1 and #functions > first + last + 1 then
      lines[#lines + 1] = "\t...\t(skipping " .. #functions - first - last - 1 .. " levels)"
      i = #functions - last + 1
    else
      local place = ORANGE .. "[C]" .. YELLOW .. ": in "
      if info.what ~= "C" and not is_ours(info) then
        place = BOLD_RED .. info.short_src .. PLAIN .. ":" .. info.currentline .. ": in "
      end
      lines[#lines + 1] = "\t" .. place .. function_name(info)
      if info.istailcall then lines[#lines + 1] = "\t(...tail calls...)" end
      i = i + 1
    end
  end
  return concat(lines, LINE_END) .. LINE_END
end

local function error_text(message)
  local meta = getmetatable(message)
  if type(message) ~= "string" and type(message) ~= "number" and not (meta and meta.__tostring) then
    return tostring(message)
  end
  return board_tostring(message)
end

-- Message handler of whatever runs at the prompt.
local function report(message)
  if is_sentinel(message) then return message end
  local text = error_text(board_message(message, debug_getinfo(2, "Sl")))
  emit(text .. LINE_END .. traceback())
  return nil
end

local function after_protected_call(ok, ...)
  if not ok then
    local message = ...
    if message == "not enough memory" then error(OUT_OF_MEMORY, 0) end
    if is_sentinel(message) then error(message, 0) end
    if pending() == 2 then error(GIVE_UP, 0) end
  end
  return ok, ...
end

local function board_pcall(f, ...)
  return after_protected_call(xpcall(f, function(message)
    return board_message(message, debug_getinfo(2, "Sl"))
  end, ...))
end

local function board_xpcall(f, handler, ...)
  return after_protected_call(xpcall(f, function(message)
    if is_sentinel(message) then return message end
    return handler(board_message(message, debug_getinfo(2, "Sl")))
  end, ...))
end

function hook()
  local wanted = pending()
  if wanted == 1 then error(INTERRUPTION, 0) end
  if wanted == 2 then error(GIVE_UP, 0) end
end

-- ---- import and run_program ---------------------------------------------------------------------------------

local function board_load(chunk, name, _, ...)
  if select("#", ...) > 0 then return load(chunk, name, "t", (...)) end
  return load(chunk, name, "t", globals)
end

local own = {
  [""] = { load = board_load, pcall = board_pcall, xpcall = board_xpcall, tostring = board_tostring,
    tonumber = board_tonumber },
  string = { find = board_find, gsub = board_gsub, format = board_format },
}

local BASE = "assert error getmetatable ipairs load next pairs pcall warn rawequal rawlen rawget rawset select "
  .. "setmetatable tonumber tostring type xpcall"
local LIBRARIES = {
  math = "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad sin sqrt tan tointeger type ult",
  string = "byte char dump find format gmatch gsub len lower match rep reverse sub upper pack packsize unpack",
  table = "concat insert remove unpack pack sort move",
  user = "",
  interrupt = "",
}

local function has_word(words, word) return find(" " .. words .. " ", " " .. word .. " ", 1, true) ~= nil end

local function bad_argument(position, name, why)
  error("bad argument #" .. position .. " to '" .. name .. "' (" .. why .. ")", 3)
end

local function name_argument(value, position, caller)
  if type(value) == "number" then return tostring(value) end
  if type(value) == "string" then return value end
  local got = value == nil and "no value" or type(value)
  return error("bad argument #" .. position .. " to '" .. caller .. "' (string expected, got " .. got .. ")", 3)
end

function globals.import(first, second)
  first = name_argument(first, 1, "import")
  if second == nil then
    if first ~= "all" and not has_word(BASE, first) then error("no such function in base library", 2) end
    for name in gmatch(BASE, "%a+") do
      if first == "all" or first == name then globals[name] = own[""][name] or stock_base[name] end
    end
    return
  end
  second = name_argument(second, 2, "import")
  local library = LIBRARIES[first] and rawget(globals, first)
  if type(library) ~= "table" then error("no such library", 2) end
  if library[second] ~= nil then return end
  if not has_word(LIBRARIES[first], second) then error("no such function in library", 2) end
  library[second] = own[first] and own[first][second] or stock[first][second]
end

function globals.run_program(name)
  name = name_argument(name, 1, "run_program")
  local text = find_program(name)
  if not text then bad_argument(1, "run_program", "no such program") end
  local chunk, message = load(text, "=" .. name, "t", globals)
  if not chunk then
    syntax_error = message
    error(message, 0)
  end
  local function finish(...)
    collectgarbage()
    return ...
  end
  return finish(chunk())
end

function globals.reboot() error(REBOOT, 0) end

globals.exit = globals.reboot
globals.print = print_values
globals.collectgarbage = collectgarbage
globals._VERSION = _VERSION
globals._G = globals
for name in pairs(LIBRARIES) do globals[name] = {} end
globals.math.pi, globals.math.huge = math.pi, math.huge
globals.math.maxinteger, globals.math.mininteger = 0x7fffffff, -0x80000000
globals.math.random, globals.math.randomseed = math.random, math.randomseed
getmetatable("").__index = globals.string
math.randomseed(0) -- the same numbers after every boot
for name, value in pairs(identity) do globals[name] = value end
globals.CORE1 = 1
for pin = 1, 16 do globals["PIN" .. pin] = pin end

-- ---- prompt ----------------------------------------------------------------------------------------------------

-- Runs f, prints what it returns; gives the word for how it ended.
function run(f, ...)
  debug_sethook(hook, "", HOOK_EVERY)
  local results = pack(xpcall(f, report, ...))
  if results[1] and results.n > 1 then
    results = pack(xpcall(print_values, report, unpack(results, 2, results.n)))
  end
  debug_sethook()
  collectgarbage()
  if results[1] then return "ran" end
  local message = results[2]
  if message == REBOOT then return "rebooted" end
  if message == OUT_OF_MEMORY or message == "not enough memory" then return "stopped" end
  return "ran"
end

local board = {}

function board.submit(text)
  if not find(text, "\n", 1, true) then
    local expression = gsub(text, "^=", "")
    if load("return " .. expression, "=stdin", "t", globals) then
      -- With a variable to close, the return is no tail call: the main chunk stays in the traceback, as it does on the
      -- board, where import and the others are C functions.
      return run(load("local __prompt <close> = nil return " .. expression, "=stdin", "t", globals))
    end
  end
  local chunk, message = load(text, "=stdin", "t", globals)
  if chunk then return run(chunk) end
  return sub(message, -5) == "<eof>" and "incomplete" or "syntax"
end

function board.run_program(name) return run(globals.run_program, name) end

function board.heap_bytes() return collectgarbage("count") * 1024 // 1 | 0 end

return board
