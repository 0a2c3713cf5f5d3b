-- smoothing.lua: smoothing in time (a Gaussian of standard deviation sigma samples) and over scales (a short box),
-- both on spectra: the box adds what the Gaussian has left, before the one inverse transform.
--
-- Source: Torrence & Webster (1999), J. Climate 12; Grinsted et al. (2004), section 3.3.
import("math", "floor")
local floor, pi = math.floor, math.pi
local _ENV = nil -- from here a stray global is an error
local smoothing = {}

local REACH = 48 / 5 -- exp(-x^2 / 2) is below 1e-20 beyond

-- The box over scales: row i of the result is the sum of rows i + centre - length + 1 .. i + centre, the outer two
-- multiplied by end_weight (a box of one or two has no ends). The sum is not divided by `total`, the sum of all weights:
-- coherence does not depend on it.
-- kind "pycwt": round(2 width / dj) points, outer two 1/2. "grinsted": width / dj points, fractional ends.
-- width: of the wavelet, in octaves (scale_decorrelation).
function smoothing.box(dj, width, kind)
    if kind == "grinsted" then
        local half_width = width / (2 * dj)
        local reach = floor(half_width + 1 / 2)
        local fraction = half_width % 1
        if reach == 0 then
            return {length = 1, centre = 0, end_weight = 1.0, total = 1.0}
        end
        return {length = 2 * reach + 1, centre = reach, end_weight = fraction, total = 2 * reach - 1 + 2 * fraction}
    end
    local points = width / dj * 2
    local length = floor(points)
    local rest = points - length
    if rest > 1 / 2 or rest == 1 / 2 and length % 2 == 1 then -- halves to even, as Python rounds
        length = length + 1
    end
    if length < 1 then
        length = 1
    end
    local has_ends = length > 2
    return {
        length = length, centre = (length - 1) // 2, end_weight = has_ends and 1 / 2 or 1.0,
        total = has_ends and length - 1.0 or 1.0 * length,
    }
end

-- A ring of as many rows as the box is long; a row is two complex spectra. fft: the module, transform: from fft.plan,
-- last_row: number of the last scale. It holds 4 * box.length * n numbers, by far the most of a simulation's memory.
-- wavelet: the module, for its Gaussian.
function smoothing.plan(fft, wavelet, transform, box, last_row)
    local rows = {}
    local length = box.length
    if length > last_row + 1 then
        length = last_row + 1 -- a box longer than the table of scales needs no more rows than that
    end
    for place = 1, length do
        local row = {reach = 0}
        for part = 1, 4 do
            row[part] = fft.zeros(transform)
        end
        rows[place] = row
    end
    local values = {}
    for i = 1, transform.length do
        values[i] = 0.0
    end
    return {
        transform = transform, gaussian = wavelet.gaussian, values = values, rows = rows, n_rows = length,
        length = box.length, centre = box.centre, end_weight = box.end_weight, last_row = last_row,
    }
end

-- Last index of the frequencies 0 .. reach, and first index of -reach .. -1, in chunk r (from 0) of a spectrum.
local function band(transform, r, reach)
    local n, p = transform.n, transform.n_chunks
    local above = reach < n // 2 and reach or n // 2 - 1
    return (above - r) // p + 1, (n - reach - r + p - 1) // p + 1
end

-- to = values * from: indices first..last, and the mirrored frequencies at mirror - i.
local function multiply(values, first, last, mirror, from, from_mirrored, to, to_mirrored)
    for i = first, last do
        local value, j = values[i], mirror - i
        to[i] = value * from[i]
        to_mirrored[j] = value * from_mirrored[j]
    end
end

-- Row `row` of the table of scales becomes a, b (two complex spectra, lists of chunks) times the Gaussian of scale
-- sigma, in the place of the row that has left the box. Only the frequencies where it is not negligible are written.
-- Cost: 10 multiplications per frequency 0 < f <= 4.8 n / (pi sigma), at most n / 2.
function smoothing.take(plan, row, sigma, a_re, a_im, b_re, b_im)
    local transform, values, gaussian = plan.transform, plan.values, plan.gaussian
    local p, length = transform.n_chunks, transform.length
    local half = transform.n // 2
    local step = 2 * pi * sigma / transform.n
    local reach = REACH / step
    reach = reach < half and floor(reach) or half
    local kept = plan.rows[row % plan.n_rows + 1]
    kept.reach = reach
    local c_re, c_im, d_re, d_im = kept[1], kept[2], kept[3], kept[4]
    for r = 0, p - 1 do
        local last = band(transform, r, reach)
        if last > 0 then
            local c, m = r + 1, (p - r) % p + 1
            local first, mirror = 1, length + 1
            gaussian(values, last, r * step, p * step)
            if r == 0 then -- frequency 0 has no mirrored one, and its value is 1
                c_re[1][1], c_im[1][1], d_re[1][1], d_im[1][1] = a_re[1][1], a_im[1][1], b_re[1][1], b_im[1][1]
                first, mirror = 2, length + 2
            end
            multiply(values, first, last, mirror, a_re[c], a_re[m], c_re[c], c_re[m])
            multiply(values, first, last, mirror, a_im[c], a_im[m], c_im[c], c_im[m])
            multiply(values, first, last, mirror, b_re[c], b_re[m], d_re[c], d_re[m])
            multiply(values, first, last, mirror, b_im[c], b_im[m], d_im[c], d_im[m])
        end
    end
    if reach == half then -- frequency n / 2 is its own mirror
        local i = length // 2 + 1
        gaussian(values, 1, half * step, step)
        local value = values[1]
        c_re[1][i], c_im[1][i] = value * a_re[1][i], value * a_im[1][i]
        d_re[1][i], d_im[1][i] = value * b_re[1][i], value * b_im[1][i]
    end
end

local function zero(to, first, last)
    for i = first, last do
        to[i] = 0.0
    end
end

local function copy(to, from, first, last)
    for i = first, last do
        to[i] = from[i]
    end
end

local function copy_ends(to, from, other, weight, first, last)
    for i = first, last do
        to[i] = weight * (from[i] + other[i])
    end
end

local function copy_end(to, from, weight, first, last)
    for i = first, last do
        to[i] = weight * from[i]
    end
end

local function add_end(to, from, weight, first, last)
    for i = first, last do
        to[i] = to[i] + weight * from[i]
    end
end

local function add(to, from, first, last)
    for i = first, last do
        to[i] = to[i] + from[i]
    end
end

local function add_two(to, from, other, first, last)
    for i = first, last do
        to[i] = to[i] + (from[i] + other[i])
    end
end

-- smoothing.sum for one chunk of one real or imaginary part. The bands become narrower from row to row: the oldest row
-- of a sum covers all others. Row numbers below 0 or above last_row stand for rows that are not there.
local function sum_chunk(plan, to, part, c, oldest, first_inside, last_inside, newest)
    local transform, rows, n_rows, weight = plan.transform, plan.rows, plan.n_rows, plan.end_weight
    local length, has_newest = transform.length, newest <= plan.last_row
    local lead = rows[(oldest >= 0 and oldest or first_inside) % n_rows + 1]
    local leading = lead[part][c]
    local lead_above, lead_below = band(transform, c - 1, lead.reach)
    zero(to, lead_above + 1, lead_below - 1)
    local newest_row = rows[newest % n_rows + 1]
    local newest_from = newest_row[part][c]
    local above, below = band(transform, c - 1, newest_row.reach)
    if oldest < 0 then
        copy(to, leading, 1, lead_above)
        copy(to, leading, lead_below, length)
        first_inside = first_inside + 1
        if has_newest then
            add_end(to, newest_from, weight, 1, above)
            add_end(to, newest_from, weight, below, length)
        end
    elseif has_newest then
        copy_ends(to, leading, newest_from, weight, 1, above)
        copy_end(to, leading, weight, above + 1, lead_above)
        copy_end(to, leading, weight, lead_below, below - 1)
        copy_ends(to, leading, newest_from, weight, below, length)
    else
        copy_end(to, leading, weight, 1, lead_above)
        copy_end(to, leading, weight, lead_below, length)
    end
    local inside = first_inside
    while inside < last_inside do
        local wider, narrower = rows[inside % n_rows + 1], rows[(inside + 1) % n_rows + 1]
        local from, other = wider[part][c], narrower[part][c]
        local wider_above, wider_below = band(transform, c - 1, wider.reach)
        above, below = band(transform, c - 1, narrower.reach)
        add_two(to, from, other, 1, above)
        add(to, from, above + 1, wider_above)
        add(to, from, wider_below, below - 1)
        add_two(to, from, other, below, length)
        inside = inside + 2
    end
    if inside == last_inside then
        local row = rows[inside % n_rows + 1]
        local from = row[part][c]
        above, below = band(transform, c - 1, row.reach)
        add(to, from, 1, above)
        add(to, from, below, length)
    end
end

-- The box's sum around row `row`, once row + centre (or the last row) is in: two complex spectra, to the lists of
-- chunks a_re, a_im, b_re, b_im. Rows outside the table of scales count as zero. Taken afresh for every row, not slid
-- along: to subtract the row that leaves would cost accuracy where power falls steeply from scale to scale.
-- Cost: for each of the four real arrays, an addition per row of the box and frequency where that row is not
-- negligible, and a multiplication for each end. Creates no table.
function smoothing.sum(plan, row, a_re, a_im, b_re, b_im)
    local last_row = plan.last_row
    local newest = row + plan.centre
    local oldest = newest - plan.length + 1
    local first_inside, last_inside = oldest + 1, newest - 1
    if plan.length <= 2 then -- such a box has no ends
        first_inside, last_inside = oldest, newest
        oldest, newest = -1, last_row + 1
    end
    first_inside = first_inside > 0 and first_inside or 0
    last_inside = last_inside < last_row and last_inside or last_row
    for c = 1, plan.transform.n_chunks do
        sum_chunk(plan, a_re[c], 1, c, oldest, first_inside, last_inside, newest)
        sum_chunk(plan, a_im[c], 2, c, oldest, first_inside, last_inside, newest)
        sum_chunk(plan, b_re[c], 3, c, oldest, first_inside, last_inside, newest)
        sum_chunk(plan, b_im[c], 4, c, oldest, first_inside, last_inside, newest)
    end
end

return smoothing
