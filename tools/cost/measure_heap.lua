-- measure_heap.lua: how high the heap's peak is while each stage of a job runs; like measure.lua, which counts their work, a
-- program that measure.py runs on the machine of tools/emblua. Apart from that, whose own memory is in its figures.
--
-- asked.lua: as for measure.lua; the first simulation is computed. Prints bytes and units: the peaks of load, set-up, outside
-- all stages ("stage" for the first time), and of each stage; and what is held after the set-up.
local collectgarbage, heap, heap_reset, print, run_program = collectgarbage, heap, heap_reset, print, run_program
local asked = run_program("asked.lua")
local resident = asked.resident and run_program(asked.resident) -- what is in memory while the board works
local _ENV = nil -- from here a stray global is an error

-- Peaks by stage, and the stage that runs; 0: none. A stage within another has a peak of its own.
local bytes_of, units_of, inside = {}, {}, 0

local function begin_anew()
    for number = 0, asked.n_stages do
        bytes_of[number], units_of[number] = 0, 0
    end
    heap_reset()
end

local function note()
    local _, bytes, _, units = heap()
    bytes_of[inside] = bytes > bytes_of[inside] and bytes or bytes_of[inside]
    units_of[inside] = units > units_of[inside] and units or units_of[inside]
    heap_reset()
end

-- Prints the highest of all peaks, and begins anew.
local function print_highest(name)
    note()
    local bytes, units = 0, 0
    for number = 0, asked.n_stages do
        bytes = bytes_of[number] > bytes and bytes_of[number] or bytes
        units = units_of[number] > units and units_of[number] or units
    end
    print(name, bytes, units)
    begin_anew()
end

local function left(outside, ...)
    note()
    inside = outside
    return ...
end

local function watched(inner, number)
    return function(...)
        note()
        local outside = inside
        inside = number
        return left(outside, inner(...))
    end
end

begin_anew()
local program = run_program(asked.program)
local modules = program.load()
print_highest("load")
for i = 1, #asked.stages do
    local stage = asked.stages[i]
    local module, name = modules[stage[1]], stage[2]
    module[name] = watched(module[name], stage[3])
end
local state = program.new(asked.fields, modules)
print_highest("set_up")
collectgarbage()
print("held", heap())
begin_anew()
program.step(state, asked.simulations[1][1])
note()
for number = 0, asked.n_stages do
    print("stage", bytes_of[number], units_of[number])
end
return resident
