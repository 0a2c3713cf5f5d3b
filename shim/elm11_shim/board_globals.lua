-- board_globals.lua: turns a stock Lua 5.4 state into one with the board's globals and nothing else. It runs once, on
-- this computer, never on the board: called by runtime.lua for programs in this process, by board_prompt.lua for the
-- virtual board. docs/virtual-board.md says what is imitated and what is not.
--
-- Its argument is a table:
--   write(text)           prints one line; the line's end is the host's
--   find_program(name)    a stored program's text, or nil
--   compile(text, name)   a chunk, or nil and a message
--   leave(how)            "exit" or "reboot"; need not return
--   identity              globals in which the board tells what it is
--   pcall, xpcall         to import in place of the stock ones; optional
-- It returns what the host itself calls: print, run_program and to_text.
local host = ...
local write, find_program, compile, leave = host.write, host.find_program, host.compile, host.leave

local globals = _G
local error, getmetatable, load, next, pairs, rawget, select, setmetatable, tonumber, tostring, type =
    error, getmetatable, load, next, pairs, rawget, select, setmetatable, tonumber, tostring, type
local collectgarbage, math, string, table = collectgarbage, math, string, table
local find, gmatch, gsub, string_format = string.find, string.gmatch, string.gsub, string.format
local match, rep = string.match, string.rep
local pack_bytes, unpack_bytes = string.pack, string.unpack
local pack, table_concat, unpack = table.pack, table.concat, table.unpack
local huge, math_type, tointeger = math.huge, math.type, math.tointeger
local base = {}
for name, value in next, globals do
    base[name] = value
end
local _ENV = nil -- from here a stray global is an error

-- Numbers and text ----------------------------------------------------------------------------------------------------

local EXACT_DECIMALS = 9
local PRINTED_LIMIT = 1e9 -- the board's "%f" writes nothing beyond; Lua then adds ".0" to what looks like an integer

local function float_text(x)
    if x ~= x then
        return "nan"
    elseif x == huge then
        return "inf"
    elseif x == -huge then
        return "-inf"
    elseif x > PRINTED_LIMIT or x < -PRINTED_LIMIT then
        return ".0"
    elseif x == 0 then
        return "0.000000" -- no minus before a zero
    end
    return string_format("%f", x)
end

local function to_text(value)
    if math_type(value) == "float" then
        return float_text(value)
    end
    return tostring(value)
end

local function board_tostring(...)
    if select("#", ...) == 0 then
        error("bad argument #1 to 'tostring' (value expected)", 2)
    end
    return to_text((...))
end

local function board_print(...)
    local texts = pack(...)
    for i = 1, texts.n do
        texts[i] = to_text(texts[i])
    end
    write(table_concat(texts, "\t", 1, texts.n))
end

-- Decimal fractions, exponents and integers of more than 32 bits are read in single precision, and a minus sign makes
-- 0.0 of them. Hexadecimal numbers are exact.
local function board_tonumber(...)
    local text = ...
    if type(text) ~= "string" or select("#", ...) > 1 then
        return tonumber(...)
    end
    local number = tonumber(text)
    if not number or find(text, "[xX]") then
        return number
    elseif math_type(number) == "integer" and number <= 0x7fffffff and number >= -0x80000000 then
        return number
    elseif find(text, "^%s*%-") then
        return 0.0
    end
    return (unpack_bytes("<f", pack_bytes("<f", number)))
end

-- "%e" and "%g" write their letter, "%f" no more than nine decimals and then zeros; "%f" and "%s" write floats as print
-- does.
local function board_format(...)
    local arguments = pack(...)
    local template = arguments[1]
    if type(template) ~= "string" then
        return string_format(...)
    end
    local i = 1
    local safe = gsub(template, "%%([-+ #0-9.]*)(.?)", function(flags, conversion)
        if conversion == "%" then
            return nil
        end
        i = i + 1
        local value = arguments[i]
        if conversion == "s" and math_type(value) == "float" then
            arguments[i] = float_text(value)
        elseif find(conversion, "[eEgG]") and tonumber(value) then
            arguments[i] = conversion
            return "%s"
        elseif conversion == "f" and type(value) == "number" then
            local before, decimals = match(flags, "^(.*)%.(%d+)$")
            local zeros = (tonumber(decimals) or 0) - EXACT_DECIMALS
            if value - value ~= 0 then -- infinite, or no number
                arguments[i] = float_text(value)
                return "%s"
            elseif value > PRINTED_LIMIT or value < -PRINTED_LIMIT then
                arguments[i] = ""
                return "%s"
            elseif zeros > 0 and zeros <= 99 - EXACT_DECIMALS then
                arguments[i] = string_format("%" .. before .. "." .. EXACT_DECIMALS .. "f", value) .. rep("0", zeros)
                return "%s"
            end
        end
        return nil
    end)
    return string_format(safe, unpack(arguments, 2, arguments.n))
end

local function board_concat(...)
    local list, separator, first, last = ...
    if type(list) ~= "table" then
        return table_concat(...)
    end
    first, last = first == nil and 1 or tointeger(first), last == nil and #list or tointeger(last)
    if not (first and last) then
        return table_concat(...)
    end
    local texts = list
    for i = first, last do
        local value = list[i]
        if math_type(value) == "float" then
            if texts == list then -- most lists have no float, and need no copy
                texts = table.move(list, first, last, first, {})
            end
            texts[i] = float_text(value)
        end
    end
    if math_type(separator) == "float" then
        separator = float_text(separator)
    end
    return table_concat(texts, separator, first, last)
end

local warnings = false

-- The text of an argument, where a C function takes text or a number.
local function text_argument(caller, position, count, value)
    if type(value) ~= "string" and type(value) ~= "number" then
        local got = position > count and "no value" or type(value)
        error("bad argument #" .. position .. " to '" .. caller .. "' (string expected, got " .. got .. ")", 3)
    end
    return to_text(value)
end

local function warn(...)
    local parts = pack(...)
    local message = text_argument("warn", 1, parts.n, parts[1])
    for i = 2, parts.n do
        message = message .. text_argument("warn", i, parts.n, parts[i])
    end
    if parts.n == 1 and find(message, "^@") then -- a control message, even one that nobody knows
        if message == "@on" or message == "@off" then
            warnings = message == "@on"
        end
    elseif warnings then
        write("Lua warning: " .. message)
    end
end

-- Broken on the board: its memchr prints its name and finds nothing ---------------------------------------------------

-- string.find looks for the first character with memchr, where the pattern has no magic characters and would fit.
local function board_find(...)
    local text, pattern, init, plain = ...
    local start = init == nil and 1 or tointeger(init)
    local are_text = (type(text) == "string" or type(text) == "number")
        and (type(pattern) == "string" or type(pattern) == "number")
    if not (are_text and start) then
        return find(...)
    end
    local length, sought = #to_text(text), to_text(pattern)
    if start < -length or start == 0 then
        start = 1
    elseif start < 0 then
        start = length + start + 1
    end
    if #sought > 0 and #sought <= length - start + 1 and (plain or not find(sought, "[%^%$%*%+%?%.%(%[%%%-]")) then
        write("memchr")
        return nil
    end
    return find(...)
end

-- string.gsub looks for "%" in a replacement with memchr, once for each match.
local function board_gsub(...)
    local text, pattern, replacement, limit = ...
    if type(replacement) ~= "string" and type(replacement) ~= "number" then
        return gsub(...)
    end
    local literal = to_text(replacement)
    local function replace()
        write("memchr")
        return literal
    end
    return gsub(text, pattern, replace, limit)
end

-- Libraries -----------------------------------------------------------------------------------------------------------

-- A binary chunk could do anything to the host's process.
local function load_text(chunk, name, _, ...)
    return load(chunk, name, "t", ...)
end

-- While a finalizer runs, Lua calls no hook: an endless one could not be stopped by anything in this process.
local function plain_setmetatable(...)
    local _, metatable = ...
    if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
        error("finalizers (__gc) do not run on this virtual board; emblua has them", 2)
    end
    return setmetatable(...)
end

local user = {}

local function number_argument(caller, count, value)
    if count ~= 1 then error("unexpected argument", 3) end
    local number = tonumber(value)
    if not number then
        error("bad argument #1 to '" .. caller .. "' (number expected, got " .. type(value) .. ")", 3)
    end
    local integer = tointeger(number)
    if not integer then
        error("bad argument #1 to '" .. caller .. "' (number has no integer representation)", 3)
    end
    return integer
end

-- Whether its one argument, an integer, is even.
function user.is_even(...)
    return number_argument("is_even", select("#", ...), (...)) % 2 == 0
end

-- Which bits the board feeds back is not known: its numbers are others.
function user.lfsr32_next(...)
    local value = number_argument("lfsr32_next", select("#", ...), (...)) & 0xffffffff
    value = value >> 1 ~ ((value & 1) * 0x80200003)
    return value < 0x80000000 and value or value - 0x100000000
end

local function named(library, names, own)
    local chosen = {}
    for name in gmatch(names, "%S+") do
        chosen[name] = own[name] or library[name]
    end
    return chosen
end

local importable_base = named(
    base,
    "assert error getmetatable ipairs load next pairs pcall warn rawequal rawlen rawget rawset select setmetatable "
        .. "tonumber tostring type xpcall",
    {load = load_text, pcall = host.pcall, setmetatable = plain_setmetatable, tonumber = board_tonumber,
        tostring = board_tostring, warn = warn, xpcall = host.xpcall}
)
local importable = {
    math = named(
        math,
        "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad sin sqrt tan tointeger type ult",
        {}
    ),
    string = named(
        string,
        "byte char dump find format gmatch gsub len lower match rep reverse sub upper pack packsize unpack",
        {find = board_find, format = board_format, gsub = board_gsub}
    ),
    table = named(table, "concat insert remove unpack pack sort move", {concat = board_concat}),
    user = user,
    interrupt = {},
}

local function import(...)
    local first, second = ...
    local count = select("#", ...)
    if count < 1 or count > 2 then error("unexpected argument", 2) end
    first = text_argument("import", 1, count, first)
    if count == 1 then
        if first == "all" then
            for name, value in next, importable_base do
                globals[name] = value
            end
        elseif importable_base[first] then
            globals[first] = importable_base[first]
        else
            error("no such function in base library", 2)
        end
        return
    end
    second = text_argument("import", 2, count, second)
    local library = importable[first] and rawget(globals, first)
    if type(library) ~= "table" then
        error("no such library", 2)
    elseif library[second] ~= nil then -- there since boot, or imported before
        return
    elseif not importable[first][second] then
        error("no such function in library", 2)
    end
    library[second] = importable[first][second]
end

local function compiled(chunk, message)
    if not chunk then
        error(message, 0)
    end
    return chunk
end

local function run_program(...)
    local count = select("#", ...)
    local name = text_argument("run_program", 1, count, (...))
    if count > 1 then
        error("unexpected argument", 2)
    end
    local text = find_program(name)
    if not text then
        error("bad argument #1 to 'run_program' (no such program)", 2)
    end
    -- The chunk is called without a name of its own, so that a traceback calls it a main chunk, as on the board.
    local results = pack(compiled(compile(text, name))())
    collectgarbage() -- every program ends with a full collection
    return unpack(results, 1, results.n)
end

-- The globals ---------------------------------------------------------------------------------------------------------

for name in next, base do
    globals[name] = nil
end
for library in next, importable do
    globals[library] = {}
end
local board_math = globals.math
board_math.pi, board_math.huge, board_math.random, board_math.randomseed = math.pi, huge, math.random, math.randomseed
board_math.maxinteger, board_math.mininteger = 0x7fffffff, -0x80000000
math.randomseed(0, 0x80006204) -- the time, and where the board's Lua state lies: the same numbers after every boot
getmetatable("").__index = globals.string -- so a method call, too, needs its import
globals.print, globals.import, globals.run_program = board_print, import, run_program
globals.collectgarbage = collectgarbage
globals.exit = function(...)
    leave("exit")
    return ...
end
globals.reboot = function()
    leave("reboot")
end
globals._VERSION = "Lua 5.4"
for name, value in pairs(host.identity) do
    globals[name] = value
end
globals._G = globals
globals.PWM_MAX, globals.HIGH, globals.LOW, globals.CORE1 = 256, 1, 0, 1
for pin = 1, 16 do
    globals["PIN" .. pin] = pin
end

return {print = board_print, run_program = run_program, to_text = to_text}
