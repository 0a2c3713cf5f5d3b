-- runtime.lua: calls of programs for the host, in this process: their errors, and how they are stopped at any moment.
-- It runs once, before anything else, on this computer (never on the board). runtime.py is the host.
--
-- Its arguments are board_globals.lua as a function, and a table of functions of the host; they stay in locals of this
-- file, which no program can reach. write(text) -> true, or false to stop the program; find_program(name) -> its text
-- or nil; leave(how) is told of exit and reboot; check() -> true to go on, asked every check_interval VM instructions,
-- or nil for no such hook; identity is a table of globals.
-- It returns functions for the host: guarded(f, ...), compile(text, name), run_program(name), elements(list), memory().
local install, host = ...
local write, find_program, leave = host.write, host.find_program, host.leave
local check, check_interval = host.check, host.check_interval

local debug, table = debug, table
local collectgarbage, error, load, pcall, tostring, type, xpcall =
    collectgarbage, error, load, pcall, tostring, type, xpcall
local _ENV = nil -- from here a stray global is an error

local board -- what board_globals.lua returns

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
        stop()
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
            message = board.to_text(object)
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

-- The board's globals -------------------------------------------------------------------------------------------------

local function compile(text, name)
    return load(text, "=" .. name, "t")
end

board = install({
    write = function(text)
        if not ask(write, text) then
            stop()
        end
    end,
    find_program = function(name)
        local called, text = pcall(find_program, name)
        if not called then
            lost = text
            stop()
        end
        return text
    end,
    compile = compile,
    leave = function(how)
        ask(leave, how)
        stop()
    end,
    identity = host.identity,
})

return {
    guarded = guarded,
    compile = compile,
    run_program = board.run_program,
    elements = table.unpack,
    memory = function()
        collectgarbage()
        return collectgarbage("count") * 1024
    end,
}
