-- board_prompt.lua: the board's prompt, coloured error text and interruption, for the virtual board on lupa.
--
-- Its arguments are board_globals.lua as a function, and a table of the host's functions: emit(bytes) sends to the
-- serial port; pending() tells what the host wants of a running text (0 nothing, 1 'q' was typed, 2 give up);
-- find_program(name) gives a program's text or nil; and identity, a table of globals. board_lua_lupa.py is the host.
-- It returns a table of functions: submit(text), run_program(name), heap_bytes(). The host's functions are upvalues of
-- functions here; nothing that a program can reach leads to them, since there is no debug library for it.
local install, host = ...
local emit, pending = host.emit, host.pending

local globals = _G
local debug_getinfo, debug_sethook = debug.getinfo, debug.sethook
local collectgarbage, error, ipairs, load, next, pairs, rawget, type, xpcall =
    collectgarbage, error, ipairs, load, next, pairs, rawget, type, xpcall
local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub
local concat, pack, unpack = table.concat, table.pack, table.unpack
local _ENV = nil -- from here a stray global is an error

local OURS = { ["=board_globals.lua"] = true, [debug_getinfo(1, "S").source] = true }
local HOOK_EVERY = 1000 -- VM instructions between two looks at the host
local LINE_END = "\n\r"
local LIBRARIES = { "math", "string", "table", "user" } -- those with functions that a traceback names
local YELLOW, GREY, ORANGE = "\27[38;5;222m", "\27[38;5;252m", "\27[33m"
local BOLD_RED, BOLD_BLUE, PLAIN = "\27[1m\27[31m", "\27[1m\27[34m", "\27[38;5;222m\27[22m"
local INTERRUPTION = GREY .. "<user interruption>" .. YELLOW
-- Raised to leave a running text altogether; no pcall of the user's keeps them.
local REBOOT, GIVE_UP, OUT_OF_MEMORY = {}, {}, {}

local board -- what board_globals.lua returns
local syntax_error -- the last one that run_program raised: the board leaves its place without colours

-- Error text ----------------------------------------------------------------------------------------------------------

local function is_sentinel(message) return message == REBOOT or message == GIVE_UP or message == OUT_OF_MEMORY end

local function is_ours(info) return OURS[info.source] end

-- What the board makes of an error message. info is the function that raised it: run-time errors of the virtual
-- machine come from Lua functions, all others from C functions.
local function board_message(message, info)
    if type(message) ~= "string" or message == INTERRUPTION or message == syntax_error then return message end
    if info.what ~= "C" and not is_ours(info) then
        local place = info.short_src .. ":" .. info.currentline .. ": "
        if sub(message, 1, #place) ~= place then return message end
        local text = sub(message, #place + 1)
        if find(text, "^attempt to ") then text = "Error: " .. text end -- the board has no word before the others
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
    for _, library in ipairs(LIBRARIES) do
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

-- The active functions as the board would list them: functions of this file and of board_globals.lua count as C
-- functions, and what they call themselves is left out.
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

-- Message handler of whatever runs at the prompt.
local function report(message)
    if is_sentinel(message) then return message end
    local text = board.to_text(board_message(message, debug_getinfo(2, "Sl")))
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

-- The board's globals -------------------------------------------------------------------------------------------------

board = install({
    write = function(text) emit(text .. LINE_END) end,
    find_program = host.find_program,
    compile = function(text, name)
        local chunk, message = load(text, "=" .. name, "t")
        syntax_error = message
        return chunk, message
    end,
    leave = function(how)
        if how == "reboot" then error(REBOOT, 0) end -- exit prints its arguments, and ends nothing
    end,
    identity = host.identity,
    pcall = board_pcall,
    xpcall = board_xpcall,
})

-- Prompt --------------------------------------------------------------------------------------------------------------

-- Runs f, prints what it returns; gives the word for how it ended.
function run(f, ...)
    debug_sethook(hook, "", HOOK_EVERY)
    local results = pack(xpcall(f, report, ...))
    if results[1] and results.n > 1 then
        results = pack(xpcall(board.print, report, unpack(results, 2, results.n)))
    end
    debug_sethook()
    collectgarbage()
    if results[1] then return "ran" end
    local message = results[2]
    if message == REBOOT then return "rebooted" end
    if message == OUT_OF_MEMORY or message == "not enough memory" then return "stopped" end
    return "ran"
end

local prompt = {}

-- Runs a text as it was typed: an expression prints its values. Returns "ran", "rebooted" or "stopped" (see run), or
-- what is wrong with the text: "incomplete" or "syntax".
function prompt.submit(text)
    if not find(text, "\n", 1, true) then
        local expression = gsub(text, "^=", "")
        if load("return " .. expression, "=stdin", "t") then
            -- With a variable to close, the return is no tail call: the main chunk stays in the traceback, as it does on
            -- the board, where import and the others are C functions.
            return run(load("local __prompt <close> = nil return " .. expression, "=stdin", "t"))
        end
    end
    local chunk, message = load(text, "=stdin", "t")
    if chunk then return run(chunk) end
    return sub(message, -5) == "<eof>" and "incomplete" or "syntax"
end

-- Runs a stored program by its name and prints what it returns. Returns as prompt.submit.
function prompt.run_program(name) return run(board.run_program, name) end

-- Bytes that Lua's heap takes now, in this computer's sizes.
function prompt.heap_bytes() return collectgarbage("count") * 1024 // 1 | 0 end

return prompt
