-- fast_weights.lua: numbers that the fast pipeline's plan is made of, as in fast_plan.py: weights of sums over grid
-- points, smoothing kernels, the table of the Gaussian, and rounding that does not depend on the last bit.
import("math", "ceil")
import("math", "exp")
import("math", "floor")
import("math", "sqrt")
local ceil, exp, floor, sqrt, pi = math.ceil, math.exp, math.floor, math.sqrt, math.pi
local _ENV = nil -- from here a stray global is an error

local KERNEL_REACH = 28 / 10
local LARGEST_FILTER = 2047
local TINY = 1 / 1000000000
local HALF = 1 / 2
local LEAST_RHO = 1 / 10000
local BERNOULLI = 6 * 7 / 5760

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

-- Weights of the last points of a sum that goes on `beyond` steps after the last point inside; `sample`: sampling
-- interval in steps. Returns the place of the third weight relative to the last point inside, and the weights.
local function end_weights(beyond, sample)
    local third = 0
    if beyond < HALF then
        beyond, third = beyond + 1, -1
    end
    -- The regular points end at -3, their cells at -5/2: its powers are exact. Products as in fast_plan.py, in its order.
    local squared = beyond * beyond
    local cubed = squared * beyond
    local square = sample * sample
    local m0 = beyond + 5 / 2
    local m1 = (squared - 25 / 4) / 2 + (1 - square) / 24
    local m2 = (cubed + 125 / 8) / 3 + 2 * (-5 / 2 - square * beyond) / 24
    local m3 = (cubed * beyond - 625 / 16) / 4 + 3 * (25 / 4 - square * squared) / 24 + BERNOULLI * (square * square - 1)
    return third, (m1 - m3) / 6, (m3 + m2 - 2 * m1) / 2, (2 * m0 + m1 - 2 * m2 - m3) / 2, (m3 + 3 * m2 + 2 * m1) / 6
end

-- Adds the four weights of one end to weights[point - low + 1], less 1 for points inside; `side`: 1 or -1.
local function add_end(weights, low, last, side, beyond, sample)
    local third, a, b, c, d = end_weights(beyond > 0 and beyond or 0.0, sample)
    local i = last + side * (third - 2) - low + 1
    local j, k, l = i + side, i + 2 * side, i + 3 * side
    weights[i], weights[j], weights[k] = weights[i] + (a - 1), weights[j] + (b - 1), weights[k] + (c - 1)
    weights[l] = weights[l] + (third < 0 and d - 1 or d) -- inside as well, or the first outside
end

-- Weights of grid points, so that their sum stands for the sum over samples in start .. stop. Returns the first point, the
-- weights from it on, how many points of weight 1 follow, and the weights after these.
local function quadrature(start, stop, origin, step)
    local first, last = up((start - origin) / step), down((stop - origin) / step)
    local before, after = first - (start - origin) / step, (stop - origin) / step - last
    local inner = last - first - 7
    if inner > 0 then
        local head, tail = {0.0, 1.0, 1.0, 1.0, 1.0}, {1.0, 1.0, 1.0, 1.0, 0.0}
        add_end(tail, last - 3, last, 1, after, 1 / step)
        add_end(head, first - 1, first, -1, before, 1 / step)
        return first - 1, head, inner, tail
    end
    local low = (first < last and first or last) - 4
    local high = (first < last and last or first) + 4
    local weights = {}
    for i = 1, high - low + 1 do weights[i] = (i > first - low and i <= last - low + 1) and 1.0 or 0.0 end
    add_end(weights, low, last, 1, after, 1 / step)
    add_end(weights, low, first, -1, before, 1 / step)
    return low, weights, 0, {}
end

-- What quadrature returns as one array.
local function joined(head, inner, tail)
    local all, length = {}, #head + inner
    for i = 1, #head do all[i] = head[i] end
    for i = #head + 1, length do all[i] = 1.0 end
    for i = 1, #tail do all[length + i] = tail[i] end
    return all
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
-- w[l] rho over the distances from a middle point, and the sum of all weights.
local function variance_left(weights, step, is_half)
    local both, reach, total = {}, #weights, 0.0 -- its square is beyond integers
    for m = reach, 1, -1 do both[#both + 1] = weights[m] end
    for m = is_half and 1 or 2, reach do both[#both + 1] = weights[m] end
    for m = 1, #both do total = total + both[m] end
    local middle = #both // 2 + 1
    local ratio = exp(-HALF * step * step)
    local rho, square, variance, beside, distance = 1.0, ratio * ratio, 0.0, 0.0, 0
    while rho > LEAST_RHO and distance < #both do
        local pairs, count = 0, #both - distance -- the second half of them equals the first
        for m = 1, count // 2 do pairs = pairs + both[m] * both[m + distance] end
        pairs = 2 * pairs
        if count % 2 == 1 then
            pairs = pairs + both[count // 2 + 1] * both[count // 2 + 1 + distance]
        end
        local neighbours = (distance > 0 and both[middle + distance] or 0) + (both[middle - distance] or 0)
        variance = variance + rho * (distance > 0 and 2 * pairs or pairs)
        beside, rho, ratio, distance = beside + rho * neighbours, rho * ratio, ratio * square, distance + 1
    end
    return variance, beside, total
end

-- Weights of a cut Gaussian at distances 0, 1, .., reach or, if half, at 1/2, 3/2, .., reach + 1/2.
local function cut_gaussian(step, reach, is_half)
    local target = 1 / sqrt(3)
    local variance, beside, total = variance_left(gaussian(step, 4096.0, reach, is_half), step, is_half)
    local narrow = step / (1 + 3 / 2 * (variance / (total * total) / target - 1))
    local weights = gaussian(narrow, 4096 * narrow / sqrt(2 * pi), reach, is_half)
    variance, beside, total = variance_left(weights, step, is_half)
    weights[1] = weights[1] + nearest((target * (total * total) - variance) / ((is_half and 4 or 2) * (beside - target * total)))
    return weights
end

-- Smoothing weights in 1/4096 at whole distances 0, 1, .., and at half ones if outputs are so dense, for a step in scales.
local function kernel(step, is_dense)
    local reach = up(KERNEL_REACH / step)
    return cut_gaussian(step, reach, false), is_dense and cut_gaussian(step, reach, true) or {}
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
    quadrature = quadrature, joined = joined, kernel = kernel, gaussian_table = gaussian_table,
}
