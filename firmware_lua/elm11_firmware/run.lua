-- run.lua: the program that the driver talks to. It takes a job from the prompt, computes simulations, and keeps the
-- histogram until it is fetched.
--
-- The host loads it once, as the only global of the project:
--
--     if not elm11 then elm11=run_program("run.lua")end
--
-- and calls one function per line, so that no beginning of a line does anything by itself:
--
--     elm11.hello()                               loads and checks all programs, says what is on the board
--     elm11.set{J=10,dj=0x1p-2,name="0123abcd"}   some fields of the job (monte_carlo.lua lists them, and `name`)
--     elm11.start(first, count, every, beat)      simulations first .. first + count - 1
--     elm11.status()                              what is there and how much of it is done
--     elm11.send(first_block, last_block)         the histogram, or some blocks of it (frame.lua)
--     elm11.again()                               the last end frame once more
--     elm11.forget()                              frees the memory of the job and its results
--
-- Every answer is a frame. `start` sends an H frame at its beginning, P frames on its way (they name the job and the
-- range, so that a host that comes later knows what runs), an E frame at its end; a refusal is an X frame.
--
-- `q` may stop a simulation anywhere. `opened` counts the simulations of which something is in the histogram, `done`
-- those that are in it whole. While they differ the histogram is of no use and is not sent: a half-counted simulation
-- cannot be taken out again (there is no memory for a second histogram), and a partial result must never pass for a
-- whole one. A simulation that is cut before its first row was counted has done no harm.
import("pairs")
import("string", "pack")
local collectgarbage, pack, pairs, run_program = collectgarbage, string.pack, pairs, run_program
local _, own_crc = ... -- load.lua passes the length and the CRC-32 of this text
local _ENV = nil -- from here a stray global is an error

local VERSION = 1 -- of what host and board say to each other; elm11_firmware.PROTOCOL_VERSION
local CHUNK = 1024

-- The fields of a job, in the order in which their CRC-32 is taken.
local INTEGERS = {"seed_low", "seed_high", "J", "n_samples", "n_bins"}
local DOUBLES = {"lag1_x", "lag1_y", "sigma0", "dj"}
local WORDS = {"surrogates", "wavelet", "scale_box", "name"}

-- What the programs' texts are known by: their CRC-32 as load.lua found it, in the order in which they were loaded.
local checks = ""

local function note(name, crc)
    checks = checks .. name .. " " .. (crc or "unchecked") .. "\n"
end

local function loaded(name)
    local module, _, crc = run_program(name)
    note(name, crc)
    return module
end

note("run.lua", own_crc)
local frame = loaded("frame.lua")

local run = {job = {}, first = 0, count = 0, done = 0, opened = 0}
local sequence = 0 -- of progress frames
local monte_carlo, modules, programs_crc
local state, state_crc -- of the job that monte_carlo.new was given
local scratch = {} -- a block whose bins lie in two pieces
for i = 1, frame.block_bins do
    scratch[i] = 0
end

local function load_programs()
    if programs_crc then
        return
    end
    monte_carlo = loaded("monte_carlo.lua")
    modules = {
        normal = loaded("normal.lua"), rednoise = loaded("rednoise.lua"), fft = loaded("fft.lua"),
        wavelet = loaded("wavelet.lua"), smoothing = loaded("smoothing.lua"), coherence = loaded("coherence.lua"),
    }
    programs_crc = frame.crc32(checks)
end

local function refuse(why)
    frame.send("X", 0, why)
end

local function send_state(kind, number, extra)
    frame.send(kind, number, "version=" .. VERSION .. " programs=" .. (programs_crc or "-") .. " job="
        .. (state and state.config.name or "-") .. " crc=" .. (state_crc or "-") .. " first=" .. run.first
        .. " count=" .. run.count .. " done=" .. run.done .. " opened=" .. run.opened .. extra)
end

function run.hello()
    load_programs()
    send_state("H", 0, "")
end

function run.status()
    send_state("H", 1, "")
end

function run.set(fields)
    for name, value in pairs(fields) do
        run.job[name] = value
    end
end

-- CRC-32 of the job as it is here, so that the host can see whether every bit of every number has arrived.
local function job_crc()
    local job = run.job
    local text = ""
    for _, name in pairs(INTEGERS) do
        if not job[name] then
            return nil, name
        end
        text = text .. pack("<I4", job[name])
    end
    for _, name in pairs(DOUBLES) do
        if not job[name] then
            return nil, name
        end
        text = text .. pack("<d", job[name])
    end
    for _, name in pairs(WORDS) do
        if not job[name] then
            return nil, name
        end
        text = text .. job[name] .. "\n"
    end
    return frame.crc32(text)
end

-- A sign of life, and how far the run is.
local function progress(scale)
    sequence = (sequence + 1) % 1000000
    frame.send("P", sequence, "job=" .. state.config.name .. " crc=" .. state_crc .. " first=" .. run.first .. " count="
        .. run.count .. " done=" .. run.done .. " scale=" .. scale)
end

-- A copy, so that fields set later do not change a job that has results.
local function copy(fields)
    local other = {}
    for name, value in pairs(fields) do
        other[name] = value
    end
    return other
end

-- Computes `count` simulations from number `first` on, in a new histogram. Progress is sent after every `every`-th
-- simulation, and after every `beat`-th scale of each simulation (0: never).
function run.start(first, count, every, beat)
    local crc, missing = job_crc()
    if not crc then
        return refuse("the job has no " .. missing)
    end
    load_programs()
    run.opened, run.done = 1, 0 -- no results until the histogram is empty
    if crc ~= state_crc then
        state, state_crc = nil, nil
        collectgarbage()
        state = monte_carlo.new(copy(run.job), modules)
        state_crc = crc
    else
        monte_carlo.reset(state)
    end
    run.first, run.count, run.opened = first, count, 0
    sequence = 0
    send_state("H", 2, "")
    local centre = state.centre
    local last_step = state.J + centre
    for simulation = first, first + (count - 1) do
        monte_carlo.begin(state, simulation)
        for j = 0, last_step do
            if j == centre then
                run.opened = run.opened + 1 -- scale(centre) counts the first row
            end
            monte_carlo.scale(state, j)
            if beat > 0 and j % beat == beat - 1 and j < last_step then
                progress(j)
            end
        end
        run.done = run.opened
        if run.done % every == 0 then
            progress(0)
        end
    end
    send_state("E", 0, " end")
end

-- Bins first .. first + count - 1 of a row, as frame.histogram wants them.
local function counts_of(row, first, count)
    local pieces = state.counts[row + 1]
    local piece, place = first // CHUNK + 1, first % CHUNK + 1
    if place + count - 1 <= CHUNK then
        return pieces[piece], place
    end
    for i = 1, count do
        local bin = first + i - 1
        scratch[i] = pieces[bin // CHUNK + 1][bin % CHUNK + 1]
    end
    return scratch, 1
end

-- Sends blocks first_block .. last_block of the histogram (-1: to the last), and an end frame.
function run.send(first_block, last_block)
    if not state then
        return refuse("there are no results")
    elseif run.opened ~= run.done then
        return refuse("simulation " .. run.first + run.done .. " was stopped while it was counted; the results are lost")
    end
    if last_block < 0 then
        last_block = (state.J + 1) * ((state.n_bins + frame.block_bins - 1) // frame.block_bins) - 1
    end
    frame.histogram(counts_of, state.n_bins, first_block, last_block)
end

run.again = frame.again

function run.forget()
    state, state_crc = nil, nil
    run.job, run.first, run.count, run.done, run.opened = {}, 0, 0, 0, 0
    collectgarbage()
end

return run
