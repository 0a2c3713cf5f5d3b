-- integer_fft.lua: Fourier transform of integers in fixed point, bit for bit that of integer_fft.py.
--
-- Decimation in time, radix 4, in place, forward, unnormalised. Twiddles have 11 bits; a product with one is divided by
-- 2^11, rounded down. Nothing else is rounded and nothing is scaled between stages: what comes in must be small enough that
-- |sum| * 2^11 stays below 2^31 (fast_plan.lua sees to it).
import("math", "cos")
import("math", "floor")
local cos, floor, pi = math.cos, math.floor, math.pi
local _ENV = nil -- from here a stray global is an error
local integer_fft = {}

local HALF_ROOT = 1448 -- sqrt(1/2) in 2^-11

-- Cosine and sine of 2 pi k / n, k = 0 .. count - 1, in 2^-11. n: divisible by four.
-- By their recurrence: a library's cosine costs ten times as much, and need not be the same everywhere. One quarter of the
-- cosine has all values.
local function twiddles(n, count)
    local turn, quarter = 2 * pi / n, n // 4
    local c, c_before = 2048.0, 2048 * cos(turn)
    local step = 2 * cos(turn)
    local cosine, sine = {}, {}
    for k = 1, quarter + 1 do
        cosine[k], c, c_before = floor(c + 1 / 2), step * c - c_before, c
    end
    for k = 1, quarter do sine[k] = cosine[quarter + 2 - k] end
    for k = quarter + 1, count do cosine[k], sine[k] = -sine[k - quarter], cosine[k - quarter] end
    return cosine, sine
end

-- Tables for transforms of up to `largest` points, a power of two from 4 to 1024:
-- cosine[k + 1], sine[k + 1] of 2 pi k / largest; places[n][i + 1], the index of sample i for a transform of n points, in
-- bit-reversed order.
-- codelets: what fft_codelets.lua returns. Cost: six float operations for each point. Creates all tables.
function integer_fft.plan(largest, codelets)
    local places = {}
    local cosine, sine = twiddles(largest, 3 * largest // 4)
    local place = {1, 2}
    local n = 2
    while n < largest do
        local longer = {}
        for i = 1, n do
            longer[i] = 2 * place[i] - 1
        end
        for i = 1, n do
            longer[n + i] = 2 * place[i]
        end
        n = 2 * n
        place, places[n] = longer, longer
    end
    return {
        largest = largest, cosine = cosine, sine = sine, places = places,
        sixteen = codelets.sixteen, thirty_two = codelets.thirty_two,
    }
end

-- Transform of four neighbours, and of eight: for what is shorter than a codelet.
local function first_of_four(re, im, i)
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

local function first_of_eight(re, im)
    first_of_four(re, im, 1)
    first_of_four(re, im, 5)
    re[6], im[6] = (re[6] + im[6]) * HALF_ROOT // 2048, (im[6] - re[6]) * HALF_ROOT // 2048
    re[7], im[7] = im[7], -re[7]
    re[8], im[8] = (im[8] - re[8]) * HALF_ROOT // 2048, (-re[8] - im[8]) * HALF_ROOT // 2048
    for i = 1, 4 do
        local ar, ai, br, bi = re[i], im[i], re[i + 4], im[i + 4]
        re[i], im[i], re[i + 4], im[i + 4] = ar + br, ai + bi, ar - br, ai - bi
    end
end

-- One stage of radix 4: blocks of `span` become blocks of 4 * span.
local function stage(plan, re, im, n, span)
    local block = 4 * span
    local cosine, sine = plan.cosine, plan.sine
    local step = plan.largest // block
    -- The first butterfly of each block has no twiddles.
    for i = 1, n, block do
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
    local twice, thrice = 2 * span, 3 * span
    for offset = 2, span do
        first, second, third = first + step, second + 2 * step, third + 3 * step
        local c1, s1, c2, s2, c3, s3 = cosine[first], sine[first], cosine[second], sine[second], cosine[third], sine[third]
        for i = offset, n, block do
            local j, k, l = i + span, i + twice, i + thrice
            -- Bit-reversed order: the second quarter takes the squared twiddle, the third the plain one.
            local r, s, u, v, x, y = re[j], im[j], re[k], im[k], re[l], im[l]
            r, s = (r * c2 + s * s2) // 2048, (s * c2 - r * s2) // 2048
            u, v, x, y = (u * c1 + v * s1) // 2048, (v * c1 - u * s1) // 2048, (x * c3 + y * s3) // 2048, (y * c3 - x * s3) // 2048
            local a, b = re[i], im[i]
            a, b, r, s = a + r, b + s, a - r, b - s
            u, v, x, y = u + x, v + y, u - x, v - y
            re[i], im[i], re[j], im[j], re[k], im[k], re[l], im[l] = a + u, b + v, r + y, s - x, a - u, b - v, r - y, s + x
        end
    end
end

-- Transform of re, im [1 .. n], sample i at plan.places[n][i + 1]; entry f + 1 becomes frequency f. With re and im
-- exchanged it is the inverse, n times. n: a power of two from 4 to plan.largest.
-- Cost: n/4 butterflies of radix 4 for every two bits of n, three turns each. Creates no table.
function integer_fft.transform(plan, re, im, n)
    local span = 16
    if n < 16 then
        if n == 4 then
            return first_of_four(re, im, 1)
        end
        return first_of_eight(re, im)
    elseif n & 0x555 ~= 0 then -- an even power of two
        plan.sixteen(re, im, n)
    else
        plan.thirty_two(re, im, n)
        span = 32
    end
    while span < n do
        stage(plan, re, im, n, span)
        span = 4 * span
    end
end

return integer_fft
