-- wavelet.lua: wavelet transform of two real series at one scale (Torrence & Compo 1998, BAMS 79).
--
-- sigma is a scale in samples; x = sigma * angular frequency. The responses leave out all factors that do not depend on
-- frequency: they cancel in the coherence, and wavelet.amplitude gives them to whoever needs W itself.
import("math", "ceil")
import("math", "exp")
import("math", "floor")
import("math", "sqrt")
local ceil, exp, floor, sqrt, pi = math.ceil, math.exp, math.floor, math.sqrt, math.pi
local _ENV = nil -- from here a stray global is an error
local wavelet = {}

-- exp is called twice in so many values, not for each. In between, each value takes two multiplications, whose rounding
-- adds up to at most i^2 / 2 units after i of them: 1e-13 (relative) after 31.
local RESTART = 32

-- values[i] = exp(-x^2 / 2) at x = first + (i - 1) step, i = 1..count.
-- Cost: 2 multiplications per value, and 2 exp for every 32 values. Creates no table.
function wavelet.gaussian(values, count, first, step)
    local ratio_step = exp(-step * step)
    for start = 1, count, RESTART do
        local x = first + (start - 1) * step
        local value = exp(-x * x / 2)
        local ratio = exp(-(x + step / 2) * step) -- value at x + step over value at x
        local stop = start + RESTART - 1
        if stop > count then
            stop = count
        end
        for i = start, stop do
            values[i] = value
            value = value * ratio
            ratio = ratio * ratio_step
        end
    end
end
local gaussian = wavelet.gaussian

-- Table 1, omega0 = 6. No Heaviside step: negative frequencies carry up to exp(-18).
local function morlet(values, count, first, step)
    gaussian(values, count, first - 6, step)
end

-- Table 1, m = 4: x^4 exp(-x), for x > 0.
local function paul(values, count, first, step)
    local ratio = exp(-step)
    for start = 1, count, RESTART do
        local x = first + (start - 1) * step
        local decay = exp(-x)
        local stop = start + RESTART - 1
        if stop > count then
            stop = count
        end
        for i = start, stop do
            local square = x * x
            values[i] = square * square * decay
            decay = decay * ratio
            x = first + i * step
        end
    end
end

-- Table 1, m = 2: x^2 exp(-x^2 / 2).
local function dog(values, count, first, step)
    gaussian(values, count, first, step)
    for i = 1, count do
        local x = first + (i - 1) * step
        values[i] = x * x * values[i]
    end
end

-- response(values, count, first, step): the response at x = first + (i - 1) step to values[1..count].
-- lowest, highest: beyond these x the response is below 1e-20 of its peak and taken as 0.
-- factor: what makes the response the psi of Table 1. e_folding, fourier_factor: Table 1.
-- scale_decorrelation: width of the scale box in octaves, Table 2.
local dog_mother = {
    response = dog, lowest = -101 / 10, highest = 101 / 10,
    factor = 1 / sqrt(3 * sqrt(pi) / 4), -- Gamma(5 / 2) = 3 sqrt(pi) / 4
    e_folding = 1 / sqrt(2), fourier_factor = 2 * pi / sqrt(5 / 2), scale_decorrelation = 14 / 10,
}
wavelet.mothers = {
    morlet = {
        response = morlet, lowest = 6 - 48 / 5, highest = 6 + 48 / 5,
        factor = 1 / sqrt(sqrt(pi)),
        e_folding = 1 / sqrt(2), fourier_factor = 4 * pi / (6 + sqrt(38)), scale_decorrelation = 6 / 10,
    },
    paul = {
        response = paul, lowest = 0, highest = 61,
        factor = 16 / sqrt(4 * 5040), -- 2^m / sqrt(m (2 m - 1)!)
        e_folding = sqrt(2), fourier_factor = 4 * pi / 9, scale_decorrelation = 15 / 10,
    },
    dog = dog_mother,
    mexicanhat = dog_mother, -- the same wavelet by its other name
}

-- Work space for transforms with the tables `transform` of fft.plan; n at least 2.
-- Creates one table, of a chunk's length.
function wavelet.plan(transform)
    local values = {}
    for i = 1, transform.length do
        values[i] = 0.0
    end
    return {transform = transform, values = values}
end

-- What a transform by wavelet.filter and fft.inverse must be multiplied by to be W of Eq. (4): 2 is from fft.separate.
-- mother: one of wavelet.mothers; sigma: the scale in samples.
function wavelet.amplitude(plan, mother, sigma)
    return sqrt(2 * pi * sigma) * mother.factor / (2 * plan.transform.n)
end

-- First sample inside the cone of influence; the last is as far from the other end. Sample t is usable when
-- sigma <= e_folding (t + 1/2), equality included whatever rounding says.
-- mother: one of wavelet.mothers; sigma: the scale in samples.
function wavelet.first_usable(mother, sigma)
    local first = ceil(sigma / mother.e_folding * (1 - 0x1.19799812dea11p-40) - 1 / 2) -- 1 - 1e-12
    return first > 0 and first or 0
end

-- Sets indices first..last of four chunks to zero.
local function zero(a, b, c, d, first, last)
    for i = first, last do
        a[i], b[i], c[i], d[i] = 0.0, 0.0, 0.0, 0.0
    end
end

-- w1 = response * X, w2 = response * Y at indices first..first + count - 1, frequencies f > 0.
-- X(f) is there in (xr, xi), Y(f) at index mirror - i of (yr, yi), as fft.separate left them.
local function above_zero(values, count, first, mirror, xr, xi, yr, yi, w1_re, w1_im, w2_re, w2_im)
    local i = first
    for q = 1, count do
        local value, j = values[q], mirror - i
        w1_re[i], w1_im[i] = value * xr[i], value * xi[i]
        w2_re[i], w2_im[i] = value * yr[j], value * yi[j]
        i = i + 1
    end
end

-- The same for frequencies f < 0: X(f) is the conjugate of X(-f), at index mirror - i of (xr, xi); Y(-f) is at i.
local function below_zero(values, count, first, mirror, xr, xi, yr, yi, w1_re, w1_im, w2_re, w2_im)
    local i = first
    for q = 1, count do
        local value, j = values[q], mirror - i
        w1_re[i], w1_im[i] = value * xr[j], -value * xi[j]
        w2_re[i], w2_im[i] = value * yr[i], -value * yi[i]
        i = i + 1
    end
end

-- The spectra of both wavelet transforms at scale sigma: w1, w2 (lists of chunks), all frequencies written.
-- re, im: the spectrum of x + i y after fft.separate. Then fft.inverse(w1_re, w1_im) is W1, but for its amplitude.
-- Cost: some 6 multiplications per frequency of the band, 20 sigma^-1 n / (2 pi) of n for Morlet.
-- mother: one of wavelet.mothers. Creates no table.
function wavelet.filter(plan, mother, sigma, re, im, w1_re, w1_im, w2_re, w2_im)
    local transform, values, response = plan.transform, plan.values, mother.response
    local n, p, length = transform.n, transform.n_chunks, transform.length
    local step = 2 * pi * sigma / n -- of x, from one frequency to the next
    local half = n // 2
    local lowest, highest = mother.lowest / step, mother.highest / step
    lowest = lowest > 1 - half and ceil(lowest) or 1 - half
    highest = highest < half - 1 and floor(highest) or half - 1
    local first_above = lowest > 1 and lowest or 1
    for r = 0, p - 1 do
        local mirror_chunk = (p - r) % p + 1
        local mirror = r == 0 and length + 2 or length + 1
        local xr, xi, yr, yi = re[r + 1], im[r + 1], re[mirror_chunk], im[mirror_chunk]
        local a, b, c, d = w1_re[r + 1], w1_im[r + 1], w2_re[r + 1], w2_im[r + 1]
        -- Index i of chunk r holds frequency r + p (i - 1), less n in the upper half.
        local first, last = (first_above - r + p - 1) // p + 1, (highest - r) // p + 1
        local next_index = 1
        if first <= last then
            response(values, last - first + 1, (r + p * (first - 1)) * step, p * step)
            above_zero(values, last - first + 1, first, mirror, xr, xi, yr, yi, a, b, c, d)
            zero(a, b, c, d, 1, first - 1)
            next_index = last + 1
        end
        first, last = (lowest + n - r + p - 1) // p + 1, (n - 1 - r) // p + 1
        if first <= last then
            response(values, last - first + 1, (r + p * (first - 1) - n) * step, p * step)
            below_zero(values, last - first + 1, first, mirror, yr, yi, xr, xi, a, b, c, d)
            zero(a, b, c, d, next_index, first - 1)
            next_index = last + 1
        end
        zero(a, b, c, d, next_index, length)
    end
    -- Frequencies 0 and n / 2 are real, and both in the first chunk: X in re, Y in im.
    local xr, yr = re[1], im[1]
    local a, b, c, d = w1_re[1], w1_im[1], w2_re[1], w2_im[1]
    response(values, 1, 0.0, step)
    local value = values[1]
    a[1], b[1], c[1], d[1] = value * xr[1], 0.0, value * yr[1], 0.0
    if mother.lowest < 0 then
        response(values, 1, -half * step, step)
        value = values[1]
    else
        value = 0.0
    end
    local i = length // 2 + 1
    a[i], b[i], c[i], d[i] = value * xr[i], 0.0, value * yr[i], 0.0
end

return wavelet
