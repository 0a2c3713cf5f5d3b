-- integer_fft.lua: Fourier transform of integers in fixed point, bit for bit that of integer_fft.py.
--
-- Decimation in time, radix 4, in place, forward, unnormalised. Twiddles have 11 bits; a product with one is divided by
-- 2^11, rounded down. Nothing else is rounded and nothing is scaled between stages: what comes in must be small enough
-- that |sum| * 2^11 stays below 2^31 (fast_plan.lua sees to it).
import("math", "cos")
import("math", "floor")
import("math", "sin")
local cos, floor, sin, pi = math.cos, math.floor, math.sin, math.pi
local _ENV = nil -- from here a stray global is an error
local integer_fft = {}

local HALF_ROOT = 1448 -- sqrt(1/2) in 2^-11

-- Tables for transforms of up to `largest` points, a power of two from 4 to 1024:
-- cosine[k + 1], sine[k + 1] of 2 pi k / largest; places[n][i + 1], the index of sample i in bit-reversed order.
-- codelets: what fft_codelets.lua returns.
function integer_fft.plan(largest, codelets)
    local cosine, sine, places = {}, {}, {}
    local turn = 2 * pi / largest
    -- By their recurrence: a library's cosine costs ten times as much, and need not be the same everywhere.
    local c, c_before, s, s_before = 2048.0, 2048 * cos(turn), 0.0, -2048 * sin(turn)
    local step = 2 * cos(turn)
    for k = 1, 3 * largest // 4 do
        cosine[k], sine[k] = floor(c + 1 / 2), floor(s + 1 / 2)
        c, c_before = step * c - c_before, c
        s, s_before = step * s - s_before, s
    end
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

-- Transform of re, im [1 .. n], in bit-reversed order (plan.places[n]); entry f + 1 becomes frequency f. With re and im
-- exchanged it is the inverse, n times. n: a power of two from 4 to plan.largest.
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
