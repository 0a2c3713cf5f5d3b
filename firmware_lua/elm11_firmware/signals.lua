-- signals.lua: periodic test signals. Each function writes samples 0 .. n_samples - 1 to a list of chunks of 1024.
--
-- period: in samples. phase: in periods, 1/4 being a quarter period ahead. All signals lie between -amplitude and
-- amplitude. At phase 0 sine starts at 0 and rises, square with its upper half, sawtooth and triangle at their lowest.
import("math", "floor")
import("math", "sin")
local floor, sin, pi = math.floor, math.sin, math.pi
local _ENV = nil -- from here a stray global is an error
local signals = {}

local CHUNK = 1024

-- shape(u): the signal at u periods, 0 <= u < 1, for amplitude 1.
local function fill(chunks, n_samples, period, amplitude, phase, shape)
    local c, i = 1, 0
    local chunk = chunks[1]
    for t = 0, n_samples - 1 do
        if i == CHUNK then
            c, i = c + 1, 0
            chunk = chunks[c]
        end
        i = i + 1
        local u = t / period + phase
        u = u - floor(u)
        chunk[i] = amplitude * shape(u)
    end
end

local function sine(u)
    return sin(2 * pi * u)
end

local function square(u)
    return u < 1 / 2 and 1.0 or -1.0
end

local function sawtooth(u)
    return 2 * u - 1
end

local function triangle(u)
    return u < 1 / 2 and 4 * u - 1 or 3 - 4 * u
end

function signals.sine(chunks, n_samples, period, amplitude, phase)
    fill(chunks, n_samples, period, amplitude, phase, sine)
end

function signals.square(chunks, n_samples, period, amplitude, phase)
    fill(chunks, n_samples, period, amplitude, phase, square)
end

function signals.sawtooth(chunks, n_samples, period, amplitude, phase)
    fill(chunks, n_samples, period, amplitude, phase, sawtooth)
end

function signals.triangle(chunks, n_samples, period, amplitude, phase)
    fill(chunks, n_samples, period, amplitude, phase, triangle)
end

return signals
