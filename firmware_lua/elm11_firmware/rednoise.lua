-- rednoise.lua: random words, normal deviates and red noise; bit for bit those of rednoise.py.
--
-- Every 32-bit word is kept as a whole number of 0 to 2^32 - 1 (64-bit integers) or as the same bits (32-bit integers,
-- as on the board). `& 0xffffffff` makes both behave alike: with 32 bits the constant is -1 and changes nothing.
-- Words are never compared for order, since 32-bit integers have a sign.
import("math", "abs")
import("math", "ceil")
import("math", "log")
local abs, ceil, log = math.abs, math.ceil, math.log
local _ENV = nil -- from here a stray global is an error
local rednoise = {}

local BLOCK_LENGTH = 128 -- words drawn from one state
local CHUNK = 1024
local NORMAL_UNIT = 0x1p-20 -- value of the least bit of a normal deviate

-- Hash of 32 bits to 32 bits: C. Wellons, "Prospecting for hash functions" (2018), lowbias32.
local function mix32(x)
    x = x ~ x >> 16
    x = x * 0x7feb352d & 0xffffffff
    x = x ~ x >> 15
    x = x * 0x846ca68b & 0xffffffff
    return x ~ x >> 16
end
rednoise.mix32 = mix32

-- The four state words at the start of a block. series: 0 for x, 1 for y.
-- seed_low, seed_high: halves of the seed; simulation: 0 .. 2^31 - 1; block: from 0. Returns the words a, b, c, d.
-- Cost: 16 hashes (mix32).
function rednoise.stream_state(seed_low, seed_high, simulation, series, block)
    local stream = 2 * block + series
    -- Four hashes of one message, each with its own start: sqrt(2), sqrt(3), sqrt(5), sqrt(7), as in FIPS 180-4.
    local a = mix32(mix32(mix32(mix32(0x6a09e667 ~ seed_low) ~ seed_high) ~ simulation) ~ stream)
    local b = mix32(mix32(mix32(mix32(0xbb67ae85 ~ seed_low) ~ seed_high) ~ simulation) ~ stream)
    local c = mix32(mix32(mix32(mix32(0x3c6ef372 ~ seed_low) ~ seed_high) ~ simulation) ~ stream)
    local d = mix32(mix32(mix32(mix32(0xa54ff53a ~ seed_low) ~ seed_high) ~ simulation) ~ stream)
    if a | b | c | d == 0 then
        a = 1 -- xoshiro would stay at zero for ever
    end
    return a, b, c, d
end
local stream_state = rednoise.stream_state

-- Writes `count` words of xoshiro128** 1.1 (Blackman & Vigna 2021), drawn from state a, b, c, d, to words[1..count].
-- Returns the state after them.
-- Cost: 18 integer operations per word, two of them multiplications. Creates no table.
function rednoise.draw(words, count, a, b, c, d)
    for i = 1, count do
        local scrambled, shifted = b * 5 & 0xffffffff, b << 9 & 0xffffffff
        words[i] = (scrambled << 7 | scrambled >> 25) * 9 & 0xffffffff
        c, d = c ~ a, d ~ b
        b, a, c, d = b ~ c, a ~ d, c ~ shifted, (d << 11 | d >> 21) & 0xffffffff
    end
    return a, b, c, d
end
local draw = rednoise.draw

-- Tables and work arrays. `normal` is what normal.lua returns.
-- Creates one table, for the words of a block.
function rednoise.plan(normal)
    local words = {}
    for i = 1, BLOCK_LENGTH do
        words[i] = 0
    end
    return {words = words, fall = normal.fall, value = normal.value}
end

-- One normal deviate from one word, exact. The lowest bit is the sign; the others, as m, give the two-sided tail
-- probability (2 m + 1) / 2^32, whose magnitude is read from the table along its straight pieces.
-- Cost: two look-ups, one integer and one floating-point multiplication; one turn of the loop on average.
function rednoise.normal(plan, word)
    local tail, octave = word | 1, 992
    while tail & 0x80000000 == 0 do
        tail, octave = tail << 1, octave - 32 -- at most 31 times, once on average
    end
    local piece = octave + (tail >> 26 & 31) + 1
    local magnitude = plan.value[piece] - (plan.fall[piece] * (tail >> 11 & 0x7fff) >> 15)
    if word & 1 == 0 then
        return magnitude * NORMAL_UNIT
    end
    return -(magnitude * NORMAL_UNIT)
end
local normal_deviate = rednoise.normal

-- Samples to drop so that the start from 0 is forgotten: twice the decorrelation time, rounded up.
-- lag1: lag-1 autocorrelation, -1 < lag1 < 1.
function rednoise.burn_in(lag1)
    if lag1 == 0 then
        return 0
    end
    return ceil(-2 / log(abs(lag1)))
end

-- Fills the first n_samples of a series (list of chunks) with AR(1) noise y[t] = lag1 y[t-1] + e[t], from 0, its first
-- `burn_in` samples dropped, and the rest with zeros. lag1 = 0: the normal deviates themselves.
-- Seed, simulation and series as rednoise.stream_state.
-- Cost: one word (rednoise.draw), one deviate (rednoise.normal), one multiplication and one addition per sample, those
-- that are dropped included. Creates no table.
function rednoise.fill(plan, chunks, n_samples, lag1, burn_in, seed_low, seed_high, simulation, series)
    local words = plan.words
    local red = lag1 ~= 0
    local y = 0.0
    local c, i = 1, 0
    local chunk = chunks[1]
    local last = burn_in + n_samples
    for block = 0, (last - 1) // BLOCK_LENGTH do
        local start = block * BLOCK_LENGTH
        local count = last - start
        if count > BLOCK_LENGTH then
            count = BLOCK_LENGTH
        end
        draw(words, count, stream_state(seed_low, seed_high, simulation, series, block))
        local dropped = burn_in - start
        for k = 1, count do
            local e = normal_deviate(plan, words[k])
            if red then
                e = lag1 * y + e
                y = e
            end
            if k > dropped then
                if i == CHUNK then
                    c, i = c + 1, 0
                    chunk = chunks[c]
                end
                i = i + 1
                chunk[i] = e
            end
        end
    end
    for zero = i + 1, #chunk do
        chunk[zero] = 0.0
    end
    for zero = c + 1, #chunks do
        chunk = chunks[zero]
        for k = 1, CHUNK do
            chunk[k] = 0.0
        end
    end
end

return rednoise
