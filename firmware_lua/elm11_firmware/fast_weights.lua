-- fast_weights.lua: numbers that the fast pipeline's plan is made of, as in fast_plan.py: weights of sums over grid
-- points, smoothing kernels, the table of the Gaussian, and rounding that does not depend on the last bit.
import("math", "ceil")
import("math", "exp")
import("math", "floor")
import("math", "sqrt")
local ceil, exp, floor, sqrt, pi = math.ceil, math.exp, math.floor, math.sqrt, math.pi
local _ENV = nil -- from here a stray global is an error

local KERNEL_REACH = 29 / 10
local CUT = 1 / 10
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

-- Weights of the last points of a sum that goes on `beyond` steps after the last point inside; `sample`: sampling
-- interval in steps. Returns the place of the second weight relative to the last point inside, and the weights.
local function end_weights(beyond, sample)
    local second = 0
    if beyond < HALF then
        beyond, second = beyond + 1, -1
    end
    -- The regular points end at -2, their cells at -3/2: its powers are exact. Products as in fast_plan.py, in its order.
    local squared, square = beyond * beyond, sample * sample
    local m0 = beyond + 3 / 2
    local m1 = (squared - 9 / 4) / 2 + (1 - square) / 24
    local m2 = (squared * beyond + 27 / 8) / 3 + 2 * (-3 / 2 - square * beyond) / 24
    return second, (m2 - m1) / 2, m0 - m2, (m2 + m1) / 2
end

-- Changes the weights of the last point inside, weights[at], and of the next one so that the sum is right for what falls
-- off like exp(-decay t), t in steps from the end.
local function fit_end(weights, at, inwards, beyond, decay)
    local ratio, value = exp(-decay), exp(-decay * beyond)
    local moved, surplus = value - value * ratio, -1 / decay
    value = value / ratio
    for place = at - inwards, at + 2 * inwards, inwards do
        surplus, value = surplus + weights[place] * value, value * ratio
    end
    surplus = (surplus + value / (1 - ratio)) / moved
    weights[at], weights[at + inwards] = weights[at] - surplus, weights[at + inwards] + surplus
end

-- Adds the three weights of one end, less 1 for points inside; weights[at]: of the last point inside; outwards: 1 or -1.
local function add_end(weights, at, outwards, beyond, sample, decay)
    beyond = beyond > 0 and beyond or 0.0
    local second, a, b, c = end_weights(beyond, sample)
    local j = at + outwards * second
    local i, k = j - outwards, j + outwards
    weights[i], weights[j] = weights[i] + (a - 1), weights[j] + (b - 1)
    weights[k] = weights[k] + (second < 0 and c - 1 or c) -- inside as well, or the first outside
    if decay then
        fit_end(weights, at, -outwards, beyond, decay)
    end
end

-- Weights of grid points, so that their sum stands for the sum over samples in start .. stop; if `decay` is there, also for
-- what falls off from the ends. Returns the first point, the weights from it on, how many points of weight 1 follow, and
-- the weights after these.
local function quadrature(start, stop, origin, step, decay)
    local first, last = up((start - origin) / step), down((stop - origin) / step)
    local before, after = first - (start - origin) / step, (stop - origin) / step - last
    local inner = last - first - 5
    if inner > 0 then
        local head, tail = {0.0, 1.0, 1.0, 1.0}, {1.0, 1.0, 1.0, 0.0}
        add_end(tail, 3, 1, after, 1 / step, decay)
        add_end(head, 2, -1, before, 1 / step, decay)
        return first - 1, head, inner, tail
    end
    local low = (first < last and first or last) - 3
    local high = (first < last and last or first) + 3
    local weights = {}
    for i = 1, high - low + 1 do weights[i] = (i > first - low and i <= last - low + 1) and 1.0 or 0.0 end
    add_end(weights, last - low + 1, 1, after, 1 / step, decay)
    add_end(weights, first - low + 1, -1, before, 1 / step, decay)
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
    target = target - CUT * (variance / (total * total) - target)
    put_right(weights, step, reach + 1, is_half, target, variance, beside, total)
    put_right(weights, step, 1, is_half, target, variance_left(weights, step, 1, is_half))
    return weights
end

-- Smoothing weights in 1/4096 at whole distances 0, 1, .., and at half ones if outputs are so dense, for a step in scales.
local function kernel(step, is_dense)
    local longest = KERNEL_REACH / step
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
    quadrature = quadrature, joined = joined, kernel = kernel, gaussian_table = gaussian_table,
}
