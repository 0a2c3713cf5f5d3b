-- board.lua: turns a stock Lua 5.4 state into one with the board's globals. It runs once, before anything else, on this
-- computer (never on the board). runtime.py says what is imitated and what is not.
--
-- Its argument is a table of functions of the host; they stay in locals of this file, which no program can reach.
-- write(text) -> true, or false to stop the program; program(name) -> its text or nil; leave(how) is told of exit and
-- reboot; check() -> true to stop the program, asked every check_interval VM instructions, or nil for no such hook.
-- It returns functions for the host: guarded(f, ...), compile(text, name), run_program(name), elements(list), memory().
local host = ...
local write, program, leave, check, check_interval = host.write, host.program, host.leave, host.check, host.check_interval

local debug, math, string, table = debug, math, string, table
local error, getmetatable, load, next, pairs, pcall = error, getmetatable, load, next, pairs, pcall
local select, tonumber, tostring, type, xpcall = select, tonumber, tostring, type, xpcall
local collectgarbage, globals = collectgarbage, _G
local base = {}
for name, value in next, globals do
    base[name] = value
end

-- Stopping ------------------------------------------------------------------------------------------------------------

local STOPPED = "<stopped by the host>"
local stopping = false
local lost = nil -- what a function of the host raised, if it did not keep it to itself
local exempt = {} -- functions of this file that run while a program is being stopped

local function unwind()
    if not exempt[debug.getinfo(2, "f").func] then
        error(STOPPED, 0)
    end
end

-- Makes every further instruction of the program an error, so that no pcall of its own keeps it alive.
local function stop()
    stopping = true
    debug.sethook(unwind, "", 1)
    error(STOPPED, 0)
end

-- Calls a function of the host, which answers true to go on.
local function ask(f, ...)
    local called, answer = pcall(f, ...)
    if not called then
        lost = answer
    end
    return called and answer
end

local function tick()
    if not exempt[debug.getinfo(2, "f").func] and not ask(check) then
        stopping = true
        debug.sethook(unwind, "", 1)
        error(STOPPED, 0)
    end
end

local function set_hook()
    if check then
        debug.sethook(tick, "", check_interval)
    else
        debug.sethook()
    end
end

-- Message handler: the message as text, and where the error arose.
local function describe(object)
    local message = object
    if type(object) ~= "string" then
        local metatable = debug.getmetatable(object)
        if type(object) == "number" or metatable and metatable.__tostring then
            message = tostring(object)
        else
            message = "(error object is a " .. type(object) .. " value)"
        end
    end
    return {message = message, traceback = debug.traceback(nil, 2)}
end

-- Calls f(...) for the host. Returns false, nil and its results; or, if it failed, true, what happened
-- ("error" or "stopped"), and the error's message and traceback or the host's own lost exception.
local function guarded(f, ...)
    lost = nil
    set_hook()
    local results = table.pack(xpcall(f, describe, ...))
    debug.sethook()
    if stopping then
        stopping = false
        return true, "stopped", lost
    end
    if not results[1] then
        local failure = results[2]
        if type(failure) ~= "table" then -- an error inside the handler, or no memory for it
            failure = {message = tostring(failure), traceback = ""}
        end
        return true, "error", failure.message, failure.traceback
    end
    return false, nil, table.unpack(results, 2, results.n)
end

exempt[guarded], exempt[describe], exempt[stop], exempt[ask] = true, true, true, true

-- Text of numbers -----------------------------------------------------------------------------------------------------

local FLOAT_LIMIT = 1e9 -- the board's "%f" writes nothing beyond, and Lua then adds ".0"

local function to_text(value)
    if math.type(value) ~= "float" then
        return (tostring(value))
    elseif value ~= value then
        return "nan"
    elseif value == math.huge then
        return "inf"
    elseif value == -math.huge then
        return "-inf"
    elseif value > FLOAT_LIMIT or value < -FLOAT_LIMIT then
        return ".0"
    end
    return (string.format("%.6f", value))
end

local function board_tostring(...)
    if select("#", ...) == 0 then
        error("bad argument #1 to 'tostring' (value expected)", 2)
    end
    return to_text((...))
end

local function board_print(...)
    local texts = table.pack(...)
    for i = 1, texts.n do
        texts[i] = to_text(texts[i])
    end
    if not ask(write, table.concat(texts, "\t", 1, texts.n)) then
        stop()
    end
end

local function format(pattern, ...)
    local arguments = table.pack(...)
    local n = 0
    for options, kind in string.gmatch(pattern, "%%([-+ #0-9.]*)(.)") do
        if kind ~= "%" then
            n = n + 1
            if string.find("eEgG", kind, 1, true) then
                error("invalid conversion '%" .. options .. kind .. "' to 'format'", 2)
            elseif kind == "s" and math.type(arguments[n]) == "float" then
                arguments[n] = to_text(arguments[n])
            end
        end
    end
    return string.format(pattern, table.unpack(arguments, 1, arguments.n))
end

local function concat(list, ...)
    local first, last = select(2, ...), select(3, ...)
    local texts = {}
    for i = first or 1, last or #list do
        texts[i] = math.type(list[i]) == "float" and to_text(list[i]) or list[i]
    end
    return table.concat(texts, (...) or "", first or 1, last or #list)
end

-- What does not work on the board -------------------------------------------------------------------------------------

local function broken(name)
    board_print(name)
    error(name .. " does not work on the board", 3)
end

local function find(text, pattern, init, plain)
    text, pattern = tostring(text), tostring(pattern)
    local start = init or 1
    local rest = #text - (start < 0 and #text + start or start - 1)
    local is_plain = plain or not string.find(pattern, "[%^%$%*%+%?%.%(%[%%%-]")
    if is_plain and #pattern > 0 and #pattern <= rest then
        broken("memchr")
    end
    return string.find(text, pattern, init, plain)
end

local function gsub(text, pattern, replacement, limit)
    if type(replacement) == "string" or type(replacement) == "number" then
        replacement = function() -- the board fails where it copies the replacement: at the first match
            broken("memchr")
        end
    end
    return string.gsub(text, pattern, replacement, limit)
end

-- A binary chunk could do anything to the host's process.
local function load_text(chunk, name, _, ...)
    return load(chunk, name, "t", ...)
end

local warnings = false

local function warn(...)
    local message = table.concat({...})
    if message == "@on" or message == "@off" then
        warnings = message == "@on"
    elseif warnings then
        board_print("Lua warning: " .. message)
    end
end

-- Libraries -----------------------------------------------------------------------------------------------------------

local function named(library, names)
    local chosen = {}
    for name in string.gmatch(names, "%S+") do
        chosen[name] = library[name]
    end
    return chosen
end

local importable_base = named(base, "assert error getmetatable ipairs next pairs pcall rawequal rawlen rawget rawset "
    .. "select setmetatable tonumber type xpcall")
importable_base.load, importable_base.tostring, importable_base.warn = load_text, board_tostring, warn

local importable = {
    math = named(math, "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad sin sqrt tan tointeger "
        .. "type ult"),
    string = named(string, "byte char dump gmatch len lower match rep reverse sub upper pack packsize unpack"),
    table = named(table, "insert remove unpack pack sort move"),
    user = {},
    interrupt = {},
}
importable.string.find, importable.string.gsub, importable.string.format = find, gsub, format
importable.table.concat = concat

local libraries = {
    math = named(math, "pi huge maxinteger mininteger random randomseed"),
    string = {}, table = {}, user = {}, interrupt = {},
}

local function import(...)
    local first, second = ...
    if type(first) ~= "string" then
        error("bad argument #1 to 'import' (string expected, got " .. (first == nil and "no value" or type(first)) .. ")", 2)
    end
    if second == nil then
        if first == "all" then
            for name, value in pairs(importable_base) do
                globals[name] = value
            end
        elseif importable_base[first] then
            globals[first] = importable_base[first]
        else
            error("no such function in base library", 2)
        end
        return
    end
    local library = importable[first]
    if not library then
        error("no such library", 2)
    elseif not library[second] then
        error("no such function in library", 2)
    end
    libraries[first][second] = library[second]
end

local function compile(text, name)
    return load(text, "=" .. name, "t")
end

local function compiled(chunk, message)
    if not chunk then
        error(message, 0)
    end
    return chunk
end

local function run_program(...)
    local name = ...
    if type(name) ~= "string" then
        error("bad argument #1 to 'run_program' (string expected, got " .. type(name) .. ")", 2)
    elseif select("#", ...) > 1 then
        error("unexpected argument", 2)
    end
    local called, text = pcall(program, name)
    if not called then
        lost = text
        stop()
    elseif not text then
        error("bad argument #1 to 'run_program' (no such program)", 2)
    end
    -- The chunk is called without a name of its own, so that a traceback calls it a main chunk, as on the board.
    local results = table.pack(compiled(compile(text, name))())
    collectgarbage() -- every program ends with a full collection
    return table.unpack(results, 1, results.n)
end

local function leaving(how)
    return function()
        ask(leave, how)
        stop()
    end
end

-- The globals ---------------------------------------------------------------------------------------------------------

for name in pairs(base) do
    globals[name] = nil
end
for name, library in pairs(libraries) do
    globals[name] = library
end
globals.print, globals.import, globals.run_program, globals.collectgarbage = board_print, import, run_program, collectgarbage
globals.exit, globals.reboot = leaving("exit"), leaving("reboot")
globals._VERSION, globals._sW, globals._fW, globals._hW = "Lua 5.4", host.software, host.firmware, host.hardware
globals._cI, globals._freq = 1, "66 Mhz"
for i = 1, 16 do
    globals["PIN" .. i], globals["CORE" .. i] = i, i
end
getmetatable("").__index = libraries.string -- so a method call, too, needs its import
math.randomseed(0) -- the same at every boot

return {
    guarded = guarded,
    compile = compile,
    run_program = run_program,
    elements = table.unpack,
    memory = function()
        collectgarbage()
        return collectgarbage("count") * 1024
    end,
}
