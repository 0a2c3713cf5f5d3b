-- run.lua: the program that the driver talks to. It takes a job from the prompt, computes simulations, and keeps the
-- histogram until it is fetched.
--
-- The host loads it once, as the only global of the project:
--
--     if not elm11 then elm11=run_program("run.lua")end
--
-- and calls one function per line, so that no beginning of a line does anything by itself:
--
--     elm11.hello()                               checks all programs, says what is on the board
--     elm11.set{J=10,dj=0x1p-2,name="0123abcd"}   some fields of the job: those of monte_carlo.new, `pipeline`, `name`
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
-- whole one. A simulation that is cut before its first row was counted has done no harm to the histogram; what it has
-- left in the other arrays is not used again, they are made anew.
--
-- There are two pipelines: "exact" (monte_carlo.lua) and "fast" (fast.lua). Their programs have the same functions, and
-- only one pipeline's are in memory, beside what both use.
import("error")
import("pairs")
import("string", "pack")
local collectgarbage, error, pack, pairs, run_program = collectgarbage, error, string.pack, pairs, run_program
local _, own_crc = ... -- load.lua passes the length and the CRC-32 of this text
local _ENV = nil -- from here a stray global is an error

local SIGNS_KEPT = 8 -- signs of life from one garbage collection to the next
local VERSION = 2 -- of what host and board say to each other; elm11_firmware.PROTOCOL_VERSION
local CHUNK = 1024

-- The fields of a job, in the order in which their CRC-32 is taken.
local INTEGERS = {"seed_low", "seed_high", "J", "n_samples", "n_bins"}
local DOUBLES = {"lag1_x", "lag1_y", "sigma0", "dj"}
local WORDS = {"surrogates", "wavelet", "scale_box", "pipeline", "name"}

-- The programs of each pipeline: first the one with new, reset, begin and scale, then the modules that it is given.
local PIPELINES = {
    exact = {"monte_carlo", "normal", "rednoise", "fft", "wavelet", "smoothing", "coherence"},
    fast = {
        "fast", "rednoise", "wavelet", "smoothing", "fft_codelets", "integer_fft", "fast_series", "fast_smoothing",
        "fast_coherence", "fast_plan", "fast_weights", "fast_tables",
    },
}

-- What the programs' texts are known by: their CRC-32 as load.lua found it, in the order in which they were first loaded.
local checks, crc_of = "", {}

local function note(name, crc)
    crc = crc or "unchecked"
    if not crc_of[name] then
        crc_of[name] = crc
        checks = checks .. name .. " " .. crc .. "\n"
    elseif crc_of[name] ~= crc then
        error(name .. " is another than when this board's programs were checked; upload them: elm11-upload-scripts", 0)
    end
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
local modules = {} -- by name, of one pipeline
local programs_crc
local program, state, state_crc -- of the job that program.new was given
local is_clean = true -- whether the last run has come to its end
local scratch = {} -- a block whose bins do not lie side by side in one piece
for i = 1, frame.block_bins do
    scratch[i] = 0
end

-- Has the modules of a pipeline in memory, and no others. What both use stays. There must be no state.
local function load_pipeline(pipeline)
    local names, is_wanted = PIPELINES[pipeline], {}
    for i = 1, #names do
        is_wanted[names[i]] = true
    end
    for name in pairs(modules) do
        if not is_wanted[name] then
            modules[name] = nil
        end
    end
    collectgarbage()
    for i = 1, #names do
        local name = names[i]
        if not modules[name] then
            modules[name] = loaded(name .. ".lua")
            collectgarbage() -- its text
        end
    end
end

-- Loads every program once, so that a damaged one shows before a run. Those of the fast pipeline stay: loading them
-- again would cost as much as some simulations, while those of the exact one cost less than one of its simulations.
local function check_programs()
    if not programs_crc then
        load_pipeline("exact")
        load_pipeline("fast")
        programs_crc = frame.crc32(checks)
    end
end

local function refuse(why)
    frame.send("X", 0, why)
end

local function send_state(kind, number, extra)
    frame.send(kind, number, "version=" .. VERSION .. " programs=" .. (programs_crc or "-") .. " job="
        .. (state and state.config.name or "-") .. " crc=" .. (state_crc or "-") .. " first=" .. run.first
        .. " count=" .. run.count .. " done=" .. run.done .. " opened=" .. run.opened .. extra)
end

-- Checks all programs and sends an H frame: version, the programs' CRC-32, the job and how far it is.
function run.hello()
    check_programs()
    send_state("H", 0, "")
end

-- Sends the same H frame without checking the programs.
function run.status()
    send_state("H", 1, "")
end

-- Takes some fields of the job (see above); they hold from the next start. Cost: one write per field.
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

-- A sign of life, and how far the run is. What such texts leave in memory is collected from time to time: by itself Lua would
-- begin only when twice as much memory is in use as now, and long before that a board with a large job would stop for good.
local function progress(scale)
    sequence = (sequence + 1) % 1000000
    if sequence % SIGNS_KEPT == 0 then
        collectgarbage()
    end
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
-- simulation, and after every `beat`-th step of each simulation (0: never). A count of the fast pipeline has 16 bits: the
-- host sees to it that `count` is not too large.
-- Cost: `count` simulations; docs/cost.md counts their instructions.
function run.start(first, count, every, beat)
    local crc, missing = job_crc()
    if not crc then
        return refuse("the job has no " .. missing)
    end
    if not PIPELINES[run.job.pipeline] then
        return refuse("there is no pipeline " .. run.job.pipeline)
    end
    run.opened, run.done = 1, 0 -- no results until the histogram is empty
    if crc ~= state_crc or not is_clean then
        program, state, state_crc = nil, nil, nil
        check_programs()
        load_pipeline(run.job.pipeline)
        program = modules[PIPELINES[run.job.pipeline][1]]
        state = program.new(copy(run.job), modules)
        state_crc = crc
    else
        program.reset(state)
    end
    is_clean = false
    run.first, run.count, run.opened = first, count, 0
    sequence = 0
    send_state("H", 2, "")
    for simulation = first, first + (count - 1) do
        local last_step, first_counting_step = program.begin(state, simulation)
        if last_step < first_counting_step then -- nothing is due in this simulation
            run.opened = run.opened + 1
        end
        for k = 0, last_step do
            if k == first_counting_step then
                run.opened = run.opened + 1
            end
            program.scale(state, k)
            if beat > 0 and k % beat == beat - 1 and k < last_step then
                progress(k)
            end
        end
        run.done = run.opened
        if run.done % every == 0 then
            progress(0)
        end
    end
    is_clean = true
    send_state("E", 0, " end")
end

-- Bins first .. first + count - 1 of a row, as frame.histogram wants them.
local function counts_of(row, first, count)
    local pieces = state.counts[row + 1]
    if state.bins_per_slot == 2 then -- the even bin in the lower 16 bits of its slot, the odd one in the upper
        for i = 1, count do
            local bin = first + i - 1
            local slot = bin >> 1
            scratch[i] = pieces[slot // CHUNK + 1][slot % CHUNK + 1] >> ((bin & 1) << 4) & 0xffff
        end
        return scratch, 1
    end
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
-- Cost: that of frame.block for every block.
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

-- Drops the job, its results and the programs' tables, and has the memory collected.
function run.forget()
    program, state, state_crc = nil, nil, nil
    run.job, run.first, run.count, run.done, run.opened = {}, 0, 0, 0, 0
    collectgarbage()
end

return run
