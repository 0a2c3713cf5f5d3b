-- fast_weights.lua: numbers that the fast pipeline's plan is made of, as in fast_plan.py: weights of sums over grid
-- points, smoothing kernels, the table of the Gaussian, and rounding that does not depend on the last bit.
import("math", "ceil")
import("math", "exp")
import("math", "floor")
import("math", "sqrt")
local ceil, exp, floor, sqrt, pi = math.ceil, math.exp, math.floor, math.sqrt, math.pi
local _ENV = nil -- from here a stray global is an error

local FALL = 125 / 100
local CURVE = 2 / 10
local FALL_INTEGRAL = 672152895 / 1000000000
local FALL_FROM = -125 / 100
local FALL_UNIT = 32768
local NEAREST = 65 / 100
local APART = 25 / 10
local LARGEST_FILTER = 2047
local TINY = 1 / 1000000000
local HALF = 1 / 2
local LEAST_RHO = 1 / 10000

local function nearest(x)
    return floor(x + HALF)
end

local function up(x)
    return ceil(x - TINY)
end

local function down(x)
    return floor(x + TINY)
end

-- The least power of two that is not below x.
local function least_power(x)
    local n = 1
    while n < x - TINY do
        n = 2 * n
    end
    return n
end

-- The least b >= 0 with x <= 2^b. Beyond the first bits of a large x, integers count.
local function bits(x)
    x = x * (1 - TINY)
    local b = 0
    while x > 1000000000 do
        x, b = x / 65536, b + 16
    end
    local whole = ceil(x) - 1 -- it has as many bits as are asked for
    if whole > 65535 then whole, b = whole >> 16, b + 16 end
    if whole > 255 then whole, b = whole >> 8, b + 8 end
    if whole > 15 then whole, b = whole >> 4, b + 4 end
    while whole > 0 do
        whole, b = whole >> 1, b + 1
    end
    return b
end

-- Weight of a series' last grid point, x steps inside its end. length: of a step, in scales; apart: 0 to 1, how little the
-- other end is felt; sampled: for the samples' own distance.
local function point_weight(x, length, apart, sampled)
    local cubic = 45 / 1000 + x * (-1 / 10 + x * (-9 / 100))
    return HALF + x + length * (cubic + apart * (133 / 1000 + x * x * (-122 / 100 + x * (116 / 100))) + sampled)
end

-- The first and the last grid point that stand for the samples in start .. stop, and their weights; between, it is 1.
local function point_weights(start, stop, origin, step, scale, padding)
    start, stop = (start - origin) / step, (stop - origin) / step
    local first, last = up(start - 1 + NEAREST), down(stop + 1 - NEAREST)
    local length, apart = step / scale, 1.0
    if padding < APART * scale then
        apart = padding / (APART * scale)
        apart = apart * apart
    end
    local sampled = (1 + apart) * (275 / 10000) / (step * step)
    return first, last, point_weight(first - start, length, apart, sampled), point_weight(stop - last, length, apart, sampled)
end

-- exp(-FALL t - CURVE t^2) in 1/32768 at t = FALL_FROM + (i - 1) / 16.
local function fall_table()
    local step, table = 1 / 16, {}
    local value = FALL_UNIT * exp(-FALL_FROM * (FALL + CURVE * FALL_FROM))
    local factor, square = exp(-step * (FALL + CURVE * (FALL_FROM + FALL_FROM + step))), exp(-2 * CURVE * step * step)
    for i = 1, 100 do
        table[i], value, factor = floor(value + HALF), value * factor, factor * square
    end
    return table
end

local function at(table, t)
    local i = (t >> 8) + 1
    local value = table[i]
    return value + (table[i + 1] - value) * (t & 255) // 256
end

-- Weights of the last two outputs of a sum. place: of the last point inside, in steps from the end, or less 1 that of the one
-- outside; step between outputs in scales; whole: of what
-- falls off the sum over samples.
local function end_weights(table, place, step, whole)
    place = place >= HALF and place - 1 or place
    local t, apart = nearest((place * step - FALL_FROM) * 4096), nearest(4096 * step)
    local one, other, both, further = at(table, t), at(table, t + apart), place + 3 / 2, 0
    for t = t + 2 * apart, (#table - 1) * 256 - 1, apart do
        further = further + at(table, t)
    end
    local weight = (whole - further - both * other) / (one - other)
    return weight, both - weight
end

-- Outputs whose sum stands for that over the samples in start .. stop: the first and the last inside, whether the one before
-- and the one after count too, and the weights of the first two, counted from outside, and of the last two; between, it is 1.
-- table: what fall_table returns.
local function output_weights(table, start, stop, origin, step, scale)
    start, stop = (start - origin) / step, (stop - origin) / step
    local first, last = up(start), down(stop)
    local before, after = first - start, stop - last
    before, after = before > 0 and before or 0.0, after > 0 and after or 0.0
    local length, sample = step / scale, 1 / scale
    local whole = FALL_UNIT * ((FALL_INTEGRAL - FALL / 24 * (sample * sample)) / length)
    local a, b = end_weights(table, before, length, whole)
    local c, d = end_weights(table, after, length, whole)
    return first, last, before >= HALF, after >= HALF, a, b, c, d
end

-- The same as one array, and the output at index 1, two before the first one inside; what belongs to both ends is added.
local function all_outputs(first, last, is_before, is_after, a, b, c, d)
    local low = (first < last and first or last) - 2
    local high = (first < last and last or first) + 2
    local weights = {}
    for i = low, high do weights[i - low + 1] = (i >= first and i <= last) and 1.0 or 0.0 end
    local i, j = first - low + 1, last - low + 1
    i, a = is_before and i - 1 or i, is_before and a or a - 1
    weights[i], weights[i + 1] = weights[i] + a, weights[i + 1] + (b - 1)
    j, c = is_after and j + 1 or j, is_after and c or c - 1
    weights[j], weights[j - 1] = weights[j] + c, weights[j - 1] + (d - 1)
    return low, weights
end

-- Whole numbers for the first (inwards = 1) or the last (-1) `count` of some weights, so that every sum from there on is right
-- within 1/2.
local function round_from(weights, inwards, count)
    local left, i = 0.0, inwards > 0 and 1 or #weights
    for _ = 1, count do
        left = left + weights[i]
        local whole = nearest(left + TINY) -- both weights of an end often add up to a half
        whole = whole > 0 and whole or 0
        left, weights[i], i = left - whole, whole, i + inwards
    end
    return weights
end

-- unit exp(-(m step)^2 / 2), rounded, m = 0 .. reach, or 1/2, 3/2, .. if half, at index 1 .. reach + 1: each is the one
-- before times a factor that itself shrinks.
local function gaussian(step, unit, reach, is_half)
    local ratio = exp(-HALF * step * step)
    local square, value, factor, values = ratio * ratio, unit, ratio, {}
    if is_half then
        value, factor = unit * exp(-step * step / 8), square
    end
    for m = 1, reach + 1 do
        values[m], value, factor = floor(value + HALF), value * factor, factor * square
    end
    return values
end

-- What an average with these weights leaves of the products' variance: the sum of w[k] w[l] rho over all pairs, that of
-- w[l] rho over the distances from the point of weights[place], and the sum of all weights.
local function variance_left(weights, step, place, is_half)
    local both, reach, total = {}, #weights, 0.0 -- its square is beyond integers
    for m = reach, 1, -1 do both[#both + 1] = weights[m] end
    for m = is_half and 1 or 2, reach do both[#both + 1] = weights[m] end
    for m = 1, #both do total = total + both[m] end
    local point = reach - place + 1
    local ratio = exp(-HALF * step * step)
    local rho, square, variance, beside, distance = 1.0, ratio * ratio, 0.0, 0.0, 0
    while rho > LEAST_RHO and distance < #both do
        local pairs, count = 0, #both - distance -- the second half of them equals the first
        for m = 1, count // 2 do pairs = pairs + both[m] * both[m + distance] end
        pairs = 2 * pairs
        if count % 2 == 1 then
            pairs = pairs + both[count // 2 + 1] * both[count // 2 + 1 + distance]
        end
        local neighbours = (distance > 0 and both[point - distance] or 0) + (both[point + distance] or 0)
        variance = variance + rho * (distance > 0 and 2 * pairs or pairs)
        beside, rho, ratio, distance = beside + rho * neighbours, rho * ratio, ratio * square, distance + 1
    end
    return variance, beside, total
end

-- Changes weights[place] and those like it so that the average leaves `target` of the variance.
local function put_right(weights, step, place, is_half, target, variance, beside, total)
    local alike = (is_half or place > 1) and 2 or 1
    weights[place] = weights[place] + nearest((target * (total * total) - variance) / (2 * alike * (beside - target * total)))
end

-- Weights of a cut Gaussian at distances 0, 1, .., reach or, if half, at 1/2, 3/2, .., reach + 1/2.
local function cut_gaussian(step, reach, is_half)
    local target = 1 / sqrt(3)
    local weights = gaussian(step, 4096 * step / sqrt(2 * pi), reach, is_half)
    local variance, beside, total = variance_left(weights, step, reach + 1, is_half)
    put_right(weights, step, reach + 1, is_half, target, variance, beside, total)
    put_right(weights, step, 1, is_half, target, variance_left(weights, step, 1, is_half))
    return weights
end

-- Smoothing weights in 1/4096 at whole distances 0, 1, .., and at half ones if outputs are so dense, for a step and a reach
-- in scales.
local function kernel(step, reach, is_dense)
    local longest = reach / step
    return cut_gaussian(step, up(longest - HALF), false), is_dense and cut_gaussian(step, up(longest) - 1, true) or {}
end

-- exp(-(i / 128)^2 / 2) in 1/2047 at index i + 1, as many as asked for.
local function gaussian_table(length)
    local ratio = exp(-HALF / 16384)
    local value, factor, squared = 32768.0, ratio, ratio * ratio
    local table = {}
    for i = 1, length do
        table[i], value, factor = floor(value + HALF) * LARGEST_FILTER >> 15, value * factor, factor * squared
    end
    return table
end

return {
    nearest = nearest, up = up, down = down, least_power = least_power, bits = bits,
    fall_table = fall_table, point_weights = point_weights, output_weights = output_weights, all_outputs = all_outputs, round_from = round_from,
    kernel = kernel, gaussian_table = gaussian_table,
}
