-- coherence.lua: from two wavelet transforms to the squared coherence and its histogram
-- (Torrence & Webster 1999, Eq. 9).
import("math", "floor")
local floor = math.floor
local _ENV = nil -- from here a stray global is an error
local coherence = {}

local CHUNK = 1024

-- In place: w1 = W1 and w2 = W2 (lists of chunks) become |W1|^2 + i |W2|^2 and W1 W2*, which one complex transform each
-- can smooth. Samples from n_samples on become 0: what the filter has spread beyond the end of the series.
-- Cost: 8 multiplications and 4 additions per sample.
function coherence.products(n_samples, w1_re, w1_im, w2_re, w2_im)
    for c = 1, #w1_re do
        local ar, ai, br, bi = w1_re[c], w1_im[c], w2_re[c], w2_im[c]
        local length = #ar
        local last = n_samples - (c - 1) * CHUNK
        last = last < length and last or length
        for i = 1, last do
            local x, y, u, v = ar[i], ai[i], br[i], bi[i]
            ar[i], ai[i] = x * x + y * y, u * u + v * v
            br[i], bi[i] = x * u + y * v, y * u - x * v
        end
        for i = last > 0 and last + 1 or 1, length do
            ar[i], ai[i], br[i], bi[i] = 0.0, 0.0, 0.0, 0.0
        end
    end
end

-- First and last chunk of samples first .. stop - 1.
local function chunks_of(first, stop)
    return first // CHUNK + 1, (stop - 1) // CHUNK + 1
end

-- The first and the last index of those samples in chunk c.
local function part_of(c, first, stop)
    local base = (c - 1) * CHUNK
    return first > base and first - base + 1 or 1, stop - base < CHUNK and stop - base or CHUNK
end

-- Squared coherence |S12|^2 / (S1 S2) of samples first .. n_samples - first - 1, to `out` (a list of chunks).
-- powers: S1 + i S2, cross: S12, both smoothed.
-- Cost: 3 multiplications, an addition and a division per sample.
function coherence.squared(n_samples, first, powers_re, powers_im, cross_re, cross_im, out)
    local stop = n_samples - first
    local first_chunk, last_chunk = chunks_of(first, stop)
    for c = first_chunk, last_chunk do
        local s1, s2, re, im, to = powers_re[c], powers_im[c], cross_re[c], cross_im[c], out[c]
        local from, last = part_of(c, first, stop)
        for i = from, last do
            local x, y = re[i], im[i]
            to[i] = (x * x + y * y) / (s1[i] * s2[i])
        end
    end
end

-- Adds samples first .. n_samples - first - 1 to a histogram of n_bins bins over 0 .. 1. `row` is a list of pieces of
-- CHUNK bins. Values of 1 and more go to the last bin, negative ones to the first (both only below 0.75 samples).
-- Arguments else as coherence.squared.
-- Cost: 4 multiplications, an addition, a division and a floor per sample.
function coherence.count(n_samples, first, powers_re, powers_im, cross_re, cross_im, row, n_bins)
    local stop = n_samples - first
    local first_chunk, last_chunk = chunks_of(first, stop)
    for c = first_chunk, last_chunk do
        local s1, s2, re, im = powers_re[c], powers_im[c], cross_re[c], cross_im[c]
        local from, last = part_of(c, first, stop)
        for i = from, last do
            local x, y = re[i], im[i]
            local scaled = (x * x + y * y) / (s1[i] * s2[i]) * n_bins
            local bin = n_bins - 1
            if scaled < bin then
                bin = scaled > 0 and floor(scaled) or 0
            end
            local piece, place = row[(bin >> 10) + 1], (bin & 1023) + 1
            piece[place] = piece[place] + 1
        end
    end
end

return coherence
