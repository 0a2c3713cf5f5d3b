-- measure.lua: what a job costs on the board; the program that measure.py runs on the machine of tools/emblua.
--
-- asked.lua returns what to measure: `program` with the functions load, new and step (monte_carlo.lua), `fields` of the
-- job, `simulations` (a list of pairs: first, count), and `stages`, a list of {module, function, number}. Functions of
-- stages are replaced by wrappers that book their work to the account of that number, 1 and up.
--
-- Prints one figure per line: its name and its value.
local account, back_to, booked, collectgarbage, decimal = account, back_to, booked, collectgarbage, decimal
local heap, instructions, print, run_program = heap, instructions, print, run_program
local asked = run_program("asked.lua")
local resident = asked.resident and run_program(asked.resident) -- what is in memory while the board works
local _ENV = nil -- from here a stray global is an error

local CALIBRATION, CALLS = 31, 100

local function wrapped(inner, number)
    return function(...)
        return back_to(account(number), inner(...))
    end
end

local function nothing() end

-- What a wrapper adds to its own account at each call. The stages' functions have some ten arguments.
local empty = wrapped(nothing, CALIBRATION)
for _ = 1, CALLS do
    empty(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
end
print("wrapper", decimal(booked(CALIBRATION) // CALLS))

local before = instructions()
local program = run_program(asked.program)
local modules = program.load()
local loaded = instructions()
print("load", decimal(loaded - before))

for i = 1, #asked.stages do
    local stage = asked.stages[i]
    local module, name = modules[stage[1]], stage[2]
    module[name] = wrapped(module[name], stage[3])
end

before = instructions()
local state = program.new(asked.fields, modules)
print("set_up", decimal(instructions() - before))
collectgarbage()
print("held", heap())

-- What was booked while setting up is no part of a simulation.
local at_start, calls_at_start = {}, {}
for number = 1, asked.n_stages do
    at_start[number], calls_at_start[number] = booked(number)
end
for i = 1, #asked.simulations do
    local first, count = asked.simulations[i][1], asked.simulations[i][2]
    before = instructions()
    for simulation = first, first + count - 1 do
        program.step(state, simulation)
    end
    print("simulations", decimal(instructions() - before))
end
for number = 1, asked.n_stages do
    local work, calls = booked(number)
    print("stage", number, decimal(work - at_start[number]), calls - calls_at_start[number])
end
print("peak", heap())
return resident
