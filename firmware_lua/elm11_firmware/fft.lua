-- fft.lua: Fourier transform of a complex series held as flat arrays of at most 1024 numbers, in place.
--
-- A series of n samples is two lists of chunks, re and im; chunk c + 1, index i + 1 is sample 1024 c + i. A series
-- of up to 1024 samples is one chunk. The spectrum of one chunk is in natural order. With p = n / 1024 chunks it is
-- interleaved: frequency f is in chunk f mod p at index f // p (fft.place), since that is where a transform that
-- never gathers the chunks leaves it.
--
-- Transforms are unnormalised: forward as numpy.fft.fft, inverse n times numpy.fft.ifft. They create no table.
import("math", "cos")
import("math", "sin")
local cos, sin, pi = math.cos, math.sin, math.pi
local _ENV = nil -- from here a stray global is an error
local fft = {}

local CHUNK = 1024 -- the largest array that the board's allocator can make

-- The number whose `bits` low bits are those of `value` in reverse.
local function reversed(value, bits)
    local result = 0
    for _ = 1, bits do
        result = result << 1 | value & 1
        value = value >> 1
    end
    return result
end

-- Tables for transforms of n samples, n a power of two from 1.
-- Cost: 3/4 cosines and sines per sample of a chunk, once per plan. Creates every table that the transforms need.
function fft.plan(n)
    local length = n < CHUNK and n or CHUNK
    local bits = 0
    while 1 << bits < length do
        bits = bits + 1
    end
    local plan = {n = n, length = length, n_chunks = n // length, bits = bits}

    -- Twiddles c - i s of angle 2 pi k / length, as c, s - c and s + c: with these a complex product takes three
    -- multiplications, and on the board one costs as much as seven additions.
    local cosine, minus, plus = {}, {}, {}
    for k = 0, 3 * length // 4 - 1 do
        local angle = 2 * pi * k / length
        local c, s = cos(angle), sin(angle)
        cosine[k + 1], minus[k + 1], plus[k + 1] = c, s - c, s + c
    end
    plan.cosine, plan.minus, plan.plus = cosine, minus, plus

    local swap_from, swap_to, n_swaps = {}, {}, 0
    for i = 0, length - 1 do
        local other = reversed(i, bits)
        if i < other then
            n_swaps = n_swaps + 1
            swap_from[n_swaps], swap_to[n_swaps] = i + 1, other + 1
        end
    end
    plan.swap_from, plan.swap_to, plan.n_swaps = swap_from, swap_to, n_swaps

    -- Twiddles that tie the chunks together: angle 2 pi t / n, t below n / 2.
    local long_cosine, long_sine = {}, {}
    for c = 0, plan.n_chunks // 2 - 1 do
        local of_cosine, of_sine = {}, {}
        for i = 0, CHUNK - 1 do
            local angle = 2 * pi * (c * CHUNK + i) / n
            of_cosine[i + 1], of_sine[i + 1] = cos(angle), sin(angle)
        end
        long_cosine[c + 1], long_sine[c + 1] = of_cosine, of_sine
    end
    plan.long_cosine, plan.long_sine = long_cosine, long_sine
    plan.chunk_bits = 0
    while 1 << plan.chunk_bits < plan.n_chunks do
        plan.chunk_bits = plan.chunk_bits + 1
    end
    return plan
end

-- A series of zeros: the list of chunks that the transforms of `plan` work on.
-- Creates plan.n_chunks tables of plan.length numbers.
function fft.zeros(plan)
    local chunks = {}
    for c = 1, plan.n_chunks do
        local chunk = {}
        for i = 1, plan.length do
            chunk[i] = 0.0
        end
        chunks[c] = chunk
    end
    return chunks
end

-- Chunk and index (both from 1) of frequency f, -n / 2 <= f < n, in a spectrum; negative f count from the end.
function fft.place(plan, f)
    f = f % plan.n
    return f % plan.n_chunks + 1, f // plan.n_chunks + 1
end

-- First stage where log2(length) is even: butterflies of four neighbours, no twiddles.
local function first_of_four(re, im, length)
    for i = 1, length, 4 do
        local j, k, l = i + 1, i + 2, i + 3
        local ar, ai, br, bi = re[i], im[i], re[j], im[j]
        local sum_r, sum_i, difference_r, difference_i = ar + br, ai + bi, ar - br, ai - bi
        ar, ai, br, bi = re[k], im[k], re[l], im[l]
        local other_r, other_i, turn_r, turn_i = ar + br, ai + bi, ar - br, ai - bi
        re[i], im[i] = sum_r + other_r, sum_i + other_i
        re[k], im[k] = sum_r - other_r, sum_i - other_i
        re[j], im[j] = difference_r + turn_i, difference_i - turn_r
        re[l], im[l] = difference_r - turn_i, difference_i + turn_r
    end
end

-- First stage where log2(length) is odd: butterflies of eight neighbours; the only twiddle is (1 - i) / sqrt(2).
local function first_of_eight(re, im, length, root)
    first_of_four(re, im, length)
    for i = 1, length, 8 do
        local j = i + 4
        local ar, ai, br, bi = re[i], im[i], re[j], im[j]
        re[i], im[i], re[j], im[j] = ar + br, ai + bi, ar - br, ai - bi
        i, j = i + 1, j + 1
        ar, ai, br, bi = re[i], im[i], re[j], im[j]
        br, bi = root * (br + bi), root * (bi - br)
        re[i], im[i], re[j], im[j] = ar + br, ai + bi, ar - br, ai - bi
        i, j = i + 1, j + 1
        ar, ai, br, bi = re[i], im[i], re[j], im[j]
        re[i], im[i], re[j], im[j] = ar + bi, ai - br, ar - bi, ai + br
        i, j = i + 1, j + 1
        ar, ai, br, bi = re[i], im[i], re[j], im[j]
        br, bi = root * (bi - br), root * (br + bi)
        re[i], im[i], re[j], im[j] = ar + br, ai - bi, ar - br, ai + bi
    end
end

-- One stage of radix 4 on bit-reversed data: blocks of `span` become blocks of 4 * span.
local function stage(plan, re, im, span)
    local length = plan.length
    local block = 4 * span
    local cosine, minus, plus = plan.cosine, plan.minus, plan.plus
    local step = length // block
    -- The first butterfly of each block has no twiddles.
    for i = 1, length, block do
        local j = i + span
        local k = j + span
        local l = k + span
        local ar, ai, br, bi = re[i], im[i], re[j], im[j]
        local sum_r, sum_i, difference_r, difference_i = ar + br, ai + bi, ar - br, ai - bi
        ar, ai, br, bi = re[k], im[k], re[l], im[l]
        local other_r, other_i, turn_r, turn_i = ar + br, ai + bi, ar - br, ai - bi
        re[i], im[i] = sum_r + other_r, sum_i + other_i
        re[k], im[k] = sum_r - other_r, sum_i - other_i
        re[j], im[j] = difference_r + turn_i, difference_i - turn_r
        re[l], im[l] = difference_r - turn_i, difference_i + turn_r
    end
    local first, second, third = 1, 1, 1
    for offset = 2, span do
        first, second, third = first + step, second + 2 * step, third + 3 * step
        local c1, m1, p1 = cosine[first], minus[first], plus[first]
        local c2, m2, p2 = cosine[second], minus[second], plus[second]
        local c3, m3, p3 = cosine[third], minus[third], plus[third]
        for i = offset, length, block do
            local j = i + span
            local k = j + span
            local l = k + span
            -- Bit-reversed order: the second quarter takes the squared twiddle, the third the plain one.
            local r, s = re[j], im[j]
            local shared = c2 * (r + s)
            local br, bi = shared + m2 * s, shared - p2 * r
            local ar, ai = re[i], im[i]
            local sum_r, sum_i, difference_r, difference_i = ar + br, ai + bi, ar - br, ai - bi
            r, s = re[k], im[k]
            shared = c1 * (r + s)
            ar, ai = shared + m1 * s, shared - p1 * r
            r, s = re[l], im[l]
            shared = c3 * (r + s)
            br, bi = shared + m3 * s, shared - p3 * r
            r, s = ar + br, ai + bi
            re[i], im[i] = sum_r + r, sum_i + s
            re[k], im[k] = sum_r - r, sum_i - s
            r, s = ar - br, ai - bi
            re[j], im[j] = difference_r + s, difference_i - r
            re[l], im[l] = difference_r - s, difference_i + r
        end
    end
end

-- Transform of one chunk: re, im flat, index 1..plan.length; entry f + 1 becomes frequency f.
-- With re and im exchanged it is the inverse. Radix 4: length / 4 butterflies of three complex products per stage.
local function transform(plan, re, im)
    local length, from, to = plan.length, plan.swap_from, plan.swap_to
    for s = 1, plan.n_swaps do
        local i, j = from[s], to[s]
        re[i], re[j] = re[j], re[i]
        im[i], im[j] = im[j], im[i]
    end
    local span
    if plan.bits & 1 == 0 then
        if length == 1 then
            return
        end
        first_of_four(re, im, length)
        span = 4
    elseif length == 2 then
        re[1], re[2] = re[1] + re[2], re[1] - re[2]
        im[1], im[2] = im[1] + im[2], im[1] - im[2]
        return
    else
        first_of_eight(re, im, length, plan.cosine[length // 8 + 1])
        span = 8
    end
    while span < length do
        stage(plan, re, im, span)
        span = 4 * span
    end
end

-- Butterflies between two chunks, sums to the first, differences times exp(-2 pi i t / n) to the second.
-- `place` is t / 1024 at their beginning, `stride` the step of t from sample to sample.
local function split_pair(plan, ar, ai, br, bi, place, stride)
    local part = CHUNK // stride
    for q = 0, stride - 1 do
        local cosine, sine = plan.long_cosine[place + q + 1], plan.long_sine[place + q + 1]
        local t = 1
        for i = q * part + 1, q * part + part do
            local c, s = cosine[t], sine[t]
            local x, y, u, v = ar[i], ai[i], br[i], bi[i]
            ar[i], ai[i] = x + u, y + v
            x, y = x - u, y - v
            br[i], bi[i] = x * c + y * s, y * c - x * s
            t = t + stride
        end
    end
end

-- What undoes split_pair, but for a factor 2.
local function join_pair(plan, ar, ai, br, bi, place, stride)
    local part = CHUNK // stride
    for q = 0, stride - 1 do
        local cosine, sine = plan.long_cosine[place + q + 1], plan.long_sine[place + q + 1]
        local t = 1
        for i = q * part + 1, q * part + part do
            local c, s = cosine[t], sine[t]
            local x, y, u, v = ar[i], ai[i], br[i], bi[i]
            u, v = u * c - v * s, v * c + u * s
            ar[i], ai[i] = x + u, y + v
            br[i], bi[i] = x - u, y - v
            t = t + stride
        end
    end
end

-- One pass of `pair` over all chunks, between partners `span` chunks apart.
local function between_chunks(plan, pair, re, im, span)
    local stride = plan.n_chunks // (2 * span)
    for block = 1, plan.n_chunks, 2 * span do
        for c = 0, span - 1 do
            local a, b = block + c, block + c + span
            pair(plan, re[a], im[a], re[b], im[b], c * stride, stride)
        end
    end
end

-- The passes leave chunks in bit-reversed order. Only references move.
local function reorder_chunks(plan, re, im)
    for c = 0, plan.n_chunks - 1 do
        local other = reversed(c, plan.chunk_bits)
        if c < other then
            re[c + 1], re[other + 1] = re[other + 1], re[c + 1]
            im[c + 1], im[other + 1] = im[other + 1], im[c + 1]
        end
    end
end

-- re, im: lists of chunks; the series becomes its spectrum.
-- Cost: n / 4 butterflies of at most 9 multiplications for every factor 4 of a chunk's length, and n / 2 butterflies of
-- 4 multiplications for every factor 2 in the number of chunks. Creates no table.
function fft.forward(plan, re, im)
    local span = plan.n_chunks // 2
    while span >= 1 do
        between_chunks(plan, split_pair, re, im, span)
        span = span // 2
    end
    reorder_chunks(plan, re, im)
    for c = 1, plan.n_chunks do
        transform(plan, re[c], im[c])
    end
end

-- re, im: lists of chunks; the spectrum becomes n times its series.
-- Cost: that of fft.forward. Creates no table.
function fft.inverse(plan, re, im)
    for c = 1, plan.n_chunks do
        transform(plan, im[c], re[c])
    end
    reorder_chunks(plan, re, im)
    local span = 1
    while span < plan.n_chunks do
        between_chunks(plan, join_pair, re, im, span)
        span = 2 * span
    end
end

-- Indices i of chunk a and `mirror` - i of chunk b hold frequencies f and -f.
local function separate_pair(ar, ai, br, bi, first, last, mirror)
    for i = first, last do
        local j = mirror - i
        local x, y, u, v = ar[i], ai[i], br[j], bi[j]
        ar[i], ai[i] = x + u, y - v
        br[j], bi[j] = y + v, u - x
    end
end

-- For the transform Z of x + i y, x and y real: puts 2 X(f) in the place of frequency f and 2 Y(f) in the place of
-- -f, 0 < f < n / 2, since X(-f) is the conjugate of X(f). X and Y are real at f = 0 and n / 2: re keeps 2 X, im 2 Y.
-- n at least 2.
-- re, im: lists of chunks, ordered as fft.forward leaves them. Cost: 4 additions for each f. Creates no table.
function fft.separate(plan, re, im)
    local p, length = plan.n_chunks, plan.length
    local half = length // 2
    local zero_re, zero_im = re[1], im[1]
    separate_pair(zero_re, zero_im, zero_re, zero_im, 2, half, length + 2)
    zero_re[1], zero_im[1] = 2 * zero_re[1], 2 * zero_im[1]
    zero_re[half + 1], zero_im[half + 1] = 2 * zero_re[half + 1], 2 * zero_im[half + 1]
    for r = 1, p - 1 do -- the lower half of each chunk is below n / 2
        separate_pair(re[r + 1], im[r + 1], re[p - r + 1], im[p - r + 1], 1, half, length + 1)
    end
end

return fft
