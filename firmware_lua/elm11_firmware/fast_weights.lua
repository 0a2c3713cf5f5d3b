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

-- exp(-(m step)^2 / 2), m = 0 .. reach, at index m + 1: each is the one before times a factor that itself shrinks.
local function gaussian(step, reach)
    local ratio = exp(-HALF * step * step)
    local value, factor, values = 1.0, ratio, {}
    for m = 1, reach + 1 do
        values[m], value, factor = value, value * factor, factor * (ratio * ratio)
    end
    return values
end

-- Smoothing weights in 1/4096 at whole distances 0, 1, .. and at half distances 1/2, 3/2, .., for a step in scales.
local function kernel(step, is_dense)
    local reach = up(KERNEL_REACH / step)
    local correlation = exp(-HALF * step * step)
    local values = gaussian(step, reach)
    local inner = 0.0
    for m = 2, reach + 1 do
        inner = inner + values[m]
    end
    local total = values[1] + 2 * inner
    local variance, factor, ratio = 0.0, 1.0, correlation
    for distance = 0, 2 * reach do
        local pairs = 0.0
        for m = distance - reach, reach do
            local n = m - distance pairs = pairs + values[(m < 0 and -m or m) + 1] * values[(n < 0 and -n or n) + 1]
        end
        variance = variance + (distance > 0 and 2 or 1) * factor * pairs
        factor = factor * ratio
        ratio = ratio * (correlation * correlation)
    end
    local width = 1 + 3 / 2 * (variance / (total * total) * sqrt(3) - 1)
    step = step / width
    local unit = 4096 * step / sqrt(2 * pi)
    local whole, half = gaussian(step, reach), {}
    for m = 1, reach + 1 do
        whole[m] = nearest(unit * whole[m])
    end
    if is_dense then
        local ratio = exp(-HALF * step * step)
        local value, factor = exp(-step * step / 8), ratio * ratio
        for m = 1, reach + 1 do
            half[m] = nearest(unit * value)
            value = value * factor
            factor = factor * (ratio * ratio)
        end
    end
    return whole, half
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
