-- fast_plan.lua: the fast pipeline's plan, number for number that of fast_plan.py, which explains it.
--
-- `new` returns parts: tables as `Part` and `Row` there, with these differences. Both filters share one integer (x in the
-- lowest 11 bits, y above). Shifts are kept as what is divided by. Only the grid points at both ends carry a weight.
--
-- Loops take the place of logarithms, recurrences that of exponentials and cosines: on the board those cost a hundred
-- additions, and their last bit differs from library to library.
import("math", "abs")
import("math", "cos")
import("math", "floor")
import("math", "sqrt")
import("table", "unpack")
local collectgarbage, unpack = collectgarbage, table.unpack
local abs, cos, floor, sqrt, pi = math.abs, math.cos, math.floor, math.sqrt, math.pi
local _ENV = nil -- from here a stray global is an error
local fast_plan = {}

local CYCLE = 64
local DUE_MARGIN = 11 / 10
local WIDE_MARGIN = 135 / 100
local LEAST_DUE = 2
local INFORMATION = {1, 36 / 10, nil, 125 / 10}
local PAIR_ROOM = 31000
local FEW_BINS = 11500
local LEAST_THREEFOLD = 48
local LARGEST_MAIN = 512
local SHORT_LENGTH = 45
local LEAST_GRID = 16
local GRID_STEP = 1
local OUTPUT_STEP = 12 / 10
local WIDE_OUTPUT_STEP = 24 / 10
local WIDE_FROM = 8
local SHORT_SERIES = 48
local SPARSE_OUTPUT_STEP = 32 / 10
local SPARSE_SURPLUS = 13 / 10
local BAND = 31 / 10
local DECIMATION = 3
local PADDING = 22 / 10
local EDGE = 6
local INTERIOR = 8
local LARGEST_FILTER = 2047
local POWER_BITS = 18
local WEIGHT = 32
local MEAN_COUNT = 200
local TINY = 1 / 1000000000
local ROUNDING = 105 / 100
local REACH_OF_CLAMP = 57 / 10
local HALF = 1 / 2

-- Functions of fast_weights.lua, set by `new`.
local nearest, up, down, least_power, bits, quadrature, trimmed, kernel

-- Lag-1 autocorrelation of a process sampled `step` times less often, with the same spectrum at low frequency.
local function coarse_lag1(lag1, step)
    if lag1 == 0 or step == 1 then
        return lag1
    end
    local root = (1 - lag1) * step
    local q = lag1 / (root * root)
    return (2 * q + 1 - sqrt(4 * q + 1)) / (2 * q)
end

-- First and last row that the box around row i needs.
local function reach_of(plan, i)
    local first, last = i + plan.centre - #plan.box + 1, i + plan.centre
    return first > 0 and first or 0, last < plan.J and last or plan.J
end

-- The least length of a transform that is not below x: a power of two, or three times one.
local function least_length(x)
    local n = least_power(x)
    local three_quarters = 3 * n // 4
    return three_quarters >= x - TINY and three_quarters >= LEAST_THREEFOLD and three_quarters or n
end

local function is_wide(plan, j)
    return plan.n_samples - 2 * plan.first_usable[j + 1] >= WIDE_FROM * plan.sigma[j + 1]
end

-- Largest step between the outputs of scale j, in scales.
local function output_step(plan, j)
    if plan.n_samples < SHORT_SERIES then
        return OUTPUT_STEP / 2
    end
    return not is_wide(plan, j) and OUTPUT_STEP or plan.is_sparse[j + 1] and SPARSE_OUTPUT_STEP or WIDE_OUTPUT_STEP
end

-- The information that scale j needs from a cycle, in pairs.
local function needed(plan, j)
    local margin = is_wide(plan, j) and WIDE_MARGIN or DUE_MARGIN
    return CYCLE * margin * plan.sigma[j + 1] / plan.sigma[plan.J + 1]
end

-- How many series of either kind a part of n points has.
local function series_of(plan, n)
    local room = PAIR_ROOM // (plan.bins <= FEW_BINS and 1 or plan.bins <= 2 * FEW_BINS and 2 or 16) // (n * #plan.box)
    return room >= 40 and 4 or room >= 12 and 2 or 1
end

local function lesser(x, y)
    return x < y and x or y
end

-- Transform length, samples and sampling interval of a main part whose smallest counted scale is i.
local function main_size(plan, i)
    local n_samples = plan.n_samples
    local first = reach_of(plan, i)
    local step = plan.sigma[first + 1] / DECIMATION
    if step > 1 + TINY then
        local n = least_power((n_samples + plan.padding) / step)
        step = (n_samples + plan.padding) / n
        if step > 1 + TINY then
            local coarse = nearest(n_samples / step)
            return n, coarse, n_samples / coarse
        end
    end
    local n = lesser(least_length(n_samples + plan.padding), plan.n_padded)
    if least_power(n / (GRID_STEP * plan.sigma[first + 1])) > n then -- a grid finer than the samples
        n = least_power(n)
    end
    return n, n_samples, 1.0
end

-- Weight of the highest frequency in a short part's filters, in 2^-15; 0 if it is not used.
local function nyquist_weight(plan, part)
    if part.step ~= 1 or part.n == plan.n_padded then
        return 0
    end
    return nearest(32768 * sqrt((1 - part.n / plan.n_padded) / 2))
end

local function set_grid(plan, part, row)
    local sigma, period = plan.sigma[row.j + 1], part.period
    local k = 2 * pi * sigma / period
    local first = up((6 - BAND) / k)
    row.first_frequency = first > 1 and first or 1
    local highest = part.nyquist > 0 and part.n // 2 or part.n // 2 - 1
    local last = down((6 + BAND) / k)
    last = last < highest and last or highest
    local n_frequencies = last - row.first_frequency + 1
    row.n_frequencies = n_frequencies > 1 and n_frequencies or 1
    local wanted = period / (GRID_STEP * sigma)
    local n = least_power(wanted > row.n_frequencies and wanted or row.n_frequencies)
    n = n > LEAST_GRID and n or LEAST_GRID
    row.n = n < part.n and n or part.n
end

local function set_counts(plan, part, row, edge)
    local sigma = plan.sigma[row.j + 1]
    local first = plan.first_usable[row.j + 1]
    local origin = part.step / 2 - HALF
    row.is_counted = true
    local usable = plan.n_samples - 2 * first
    local longest = output_step(plan, row.j) * sigma
    local n = least_power(part.period / longest)
    n = n > 4 and n or 4
    row.n_counted = lesser(n, part.n % 3 == 0 and 2 * part.n // 3 or part.n)
    local step = part.period / row.n_counted
    local low, weights = quadrature(first - HALF, part.length - HALF - first, origin, step)
    if edge then
        local ratio = (plan.n_samples - 2 * edge) / (part.length - 2 * edge)
        local inner, values = quadrature(edge - HALF, part.length - HALF - edge, origin, step)
        for i = 1, #values do
            local place = inner - low + i
            if weights[place] then
                weights[place] = weights[place] + (ratio - 1) * values[i]
            end
        end
    end
    local unit = WEIGHT * 1.0
    while usable / longest * unit * plan.pairs[row.j + 1] / CYCLE > MEAN_COUNT do
        unit = unit / 2
    end
    unit = unit * (step / longest)
    -- Most weights equal the one before: they are rounded once.
    local total, last, rounded = 0, -1.0, 0
    local below = 0
    for i = 1, #weights do
        local weight = weights[i] if weight ~= last then
            last, rounded = weight, nearest(4096 * unit * (weight > 0 and weight or 0.0))
        end
        total = total + rounded weights[i], below = (total + 2048 >> 12) - below, total + 2048 >> 12
    end
    row.first_counted, row.weights = trimmed(low, weights)
end

local function row_of(part, j)
    return part.rows[j - part.first_row + 1]
end

-- Smoothing weights for a step in scales. Grids of several parts have the same step at the same scale, and share them.
local function shared_kernel(plan, ratio, is_dense)
    local kernels = plan.kernels
    for k = 1, #kernels do
        local known = kernels[k]
        if known.ratio == ratio and known.is_dense == is_dense then
            return known.whole, known.half
        end
    end
    local whole, half = kernel(ratio, is_dense)
    kernels[#kernels + 1] = {ratio = ratio, is_dense = is_dense, whole = whole, half = half}
    return whole, half
end

-- The points of a grid of that step which belong to the part's series, and the weights of those at its ends, in 1/256.
local function grid_points(part, step, n)
    local low, weights = quadrature(-HALF, part.length - HALF, part.step / 2 - HALF, step)
    local from, to = 0, 0 -- the points whose weight is not zero
    for i = 1, #weights do
        if weights[i] == 1 then weights[i], to = 256, i else
            local weight = nearest(256 * weights[i])
            weights[i] = weight > 0 and weight or 0
            if weight > 0 then
                to = i
            end
        end
        from = from > 0 and from or to
    end
    if part.wraps then -- points of both ends may be the same ones of the period: each has what belongs to both
        for i = from, to - n do
            weights[i] = weights[i] + weights[i + n]
            weights[i + n] = weights[i]
        end
    end
    local edges, edge_weights = {}, {}
    for i = from, to do
        if weights[i] ~= 256 then edges[#edges + 1], edge_weights[#edge_weights + 1] = i - from + 1, weights[i] end
    end
    return {first = low + from - 1, count = to - from + 1, edges = edges, edge_weights = edge_weights}
end

local function set_outputs(plan, part, row)
    local n_box = #plan.box
    local first, last = row.j - plan.centre, row.j - plan.centre + n_box - 1
    first = first > part.lowest and first or part.lowest
    last = last < part.highest and last or part.highest
    local n_outputs, n_series = 0, 0
    for i = first, last do
        local user = row_of(part, i)
        if user.is_counted then
            n_outputs = user.n_counted > n_outputs and user.n_counted or n_outputs
            n_series = user.n_paired > n_series and user.n_paired or n_series
        end
    end
    row.n_series = n_series
    row.length = 0
    if n_outputs == 0 then
        return
    end
    local from, to = nil, nil
    for i = first, last do
        local user = row_of(part, i)
        if user.is_counted then
            local stride = n_outputs // user.n_counted
            local low, high = user.first_counted * stride, (user.first_counted + #user.weights - 1) * stride
            from = from and from < low and from or low
            to = to and to > high and to or high
        end
    end
    row.n_outputs, row.first_output, row.length = n_outputs, from, to - from + 1
    if row.n < n_outputs // 2 then
        row.n = n_outputs // 2
    end
    local step = part.period / row.n
    row.kernel, row.half_kernel = shared_kernel(plan, step / plan.sigma[row.j + 1], n_outputs > row.n)
    local points = part.points[row.n]
    if not points then
        points = grid_points(part, step, row.n)
        part.points[row.n] = points
    end
    row.first_point, row.n_points = points.first, points.count
    row.edges, row.edge_weights = points.edges, points.edge_weights
end

-- 1 / |1 - lag1 exp(-i w)| at frequencies 0 .. n / 2, index f + 1.
local function noise_spectrum(part, lag1)
    local turn = 2 * pi / part.period
    local before, cosine = cos(turn), 1.0
    local step = 2 * before
    local spectrum = {}
    local mean, depth = 1 + lag1 * lag1, 2 * lag1
    for f = 1, part.n // 2 + 1 do
        spectrum[f], cosine, before = 1 / sqrt(mean - depth * cosine), step * cosine - before, cosine
    end
    return spectrum
end

-- The spectrum from frequency `lowest` to `highest` in 2^-15 of its largest value there, and that value.
local function scaled_spectrum(spectrum, lowest, highest)
    local strongest = 0.0
    for f = lowest + 1, highest + 1 do strongest = spectrum[f] > strongest and spectrum[f] or strongest end
    local unit = 32768 / strongest
    for f = lowest + 1, highest + 1 do spectrum[f] = floor(unit * spectrum[f] + HALF) end
    return spectrum, strongest
end

-- Filters of a row, and their sums: row.total, row.squares, row.slopes of x and of y.
local function set_filter(plan, part, row, peak, spectrum_x, spectrum_y)
    local gaussian = plan.gaussian
    local turn = 2 * pi / part.period
    local first, n_frequencies = row.first_frequency, row.n_frequencies
    -- Parts of one period, with equally scaled spectra, have the same filters.
    local known = plan.filters[row.j]
    if known and known.period == part.period and known.peak == peak and #known.filters == n_frequencies
        and known.strongest_x == part.strongest_x and known.strongest_y == part.strongest_y then
        row.filters = known.filters
        return unpack(known.sums)
    end
    local k = nearest(turn * plan.sigma[row.j + 1] * 1048576)
    local filters = {}
    local total_x, squares_x, slopes_x, before_x = 0, 0, 0, 0
    local total_y, squares_y, slopes_y, before_y = 0, 0, 0, 0
    local nyquist = part.n // 2
    local phase = first * k - 6291456 + 2048 -- 6 in 2^-20, and half a step of the table
    for i = 1, n_frequencies do
        local f = first + i - 1
        -- The table's index: |phase| / 4096, rounded.
        local value = gaussian[(phase < 2048 and (4096 - phase) >> 12 or phase >> 12) + 1] * peak >> 15
        value = f == nyquist and value * part.nyquist >> 15 or value
        local x = value * spectrum_x[f + 1] + 16384 >> 15
        total_x, squares_x, slopes_x = total_x + x, squares_x + x * x, slopes_x + (x - before_x) * (x - before_x)
        if spectrum_y == spectrum_x then
            filters[i], phase, before_x = x | x << 11, phase + k, x
        else
            local y = value * spectrum_y[f + 1] + 16384 >> 15
            total_y, squares_y, slopes_y = total_y + y, squares_y + y * y, slopes_y + (y - before_y) * (y - before_y)
            filters[i], phase, before_x, before_y = x | y << 11, phase + k, x, y
        end
    end
    if n_frequencies <= 200 then -- more would need too large a piece of memory for Lua's stack
        filters = {unpack(filters)} -- no longer than it is: while it grew, its length was a power of two
    end
    row.filters = filters
    slopes_x = slopes_x + before_x * before_x
    if spectrum_y == spectrum_x then
        total_y, squares_y, slopes_y = total_x, squares_x, slopes_x
    else
        slopes_y = slopes_y + before_y * before_y
    end
    plan.filters[row.j] = {
        period = part.period, peak = peak, filters = filters, strongest_x = part.strongest_x,
        strongest_y = part.strongest_y, sums = {total_x, squares_x, slopes_x, total_y, squares_y, slopes_y},
    }
    return total_x, squares_x, slopes_x, total_y, squares_y, slopes_y
end

-- What no modulus of a row's transform, nor of any sum on the way to it, can exceed.
local function transform_bound(plan, part, coarse, gain, total, squares, slopes)
    local b = squares / (slopes > 1 and slopes or 1)
    local response = part.n * sqrt((squares + b * slopes) / sqrt(1 + 4 * b))
    local extra = gain / 4096 + abs(coarse) / (1 - abs(coarse))
    return 2 * ROUNDING * plan.largest_deviate * (response + extra * total)
end

-- Filters, and the shifts that keep every sum below 2^31 and as large as that allows.
local function set_filters(plan, part)
    local rows = part.rows
    local lag1, gain, coarse = {}, {}, {}
    local bound = 0.0
    for series = 1, 2 do
        local of_series = coarse_lag1(plan.lag1[series], part.step)
        coarse[series] = of_series
        lag1[series] = nearest(4096 * of_series)
        gain[series] = nearest(4096 / sqrt(1 - of_series * of_series))
        local all = plan.largest_deviate
            * (part.n_samples + gain[series] / 4096 + abs(of_series) / (1 - abs(of_series)))
        bound = all > bound and all or bound
    end
    part.lag1, part.start_gain = lag1, gain
    local peak = floor(2147483647 / (2 * ROUNDING * bound))
    peak = peak < LARGEST_FILTER and peak or LARGEST_FILTER
    local lowest, highest = part.n, 0
    for r = 1, #rows do
        local first = rows[r].first_frequency
        local last = first + rows[r].n_frequencies - 1
        lowest = first < lowest and first or lowest
        highest = last > highest and last or highest
    end
    part.lowest_frequency, part.highest_frequency = lowest, highest
    local spectrum_x, spectrum_y
    spectrum_x, part.strongest_x = scaled_spectrum(noise_spectrum(part, plan.lag1[1]), lowest, highest)
    spectrum_y, part.strongest_y = spectrum_x, part.strongest_x
    if plan.lag1[2] ~= plan.lag1[1] then
        spectrum_y, part.strongest_y = scaled_spectrum(noise_spectrum(part, plan.lag1[2]), lowest, highest)
    end
    local squares, largest = {{}, {}}, {0.0, 0.0}
    local most = {0, 0}
    for r = 1, #rows do
        local tx, qx, dx, ty, qy, dy = set_filter(plan, part, rows[r], peak, spectrum_x, spectrum_y)
        squares[1][r], squares[2][r] = qx, qy
        local of_row = transform_bound(plan, part, coarse[1], gain[1], tx, qx, dx)
        largest[1] = of_row > largest[1] and of_row or largest[1]
        if spectrum_y ~= spectrum_x then
            of_row = transform_bound(plan, part, coarse[2], gain[2], ty, qy, dy)
        end
        largest[2] = of_row > largest[2] and of_row or largest[2]
        most[1] = qx > most[1] and qx or most[1]
        most[2] = qy > most[2] and qy or most[2]
    end
    local deviations, shifts = {{}, {}}, {}
    for series = 1, 2 do
        local square = gain[series] / 4096 * (gain[series] / 4096)
        local lag = lag1[series] / 4096
        local variance = 2 * plan.deviate_variance * (part.n_samples - 1 + square + lag * lag * square)
        local shift = bits(largest[series] / 1048576)
        local other = bits(REACH_OF_CLAMP * sqrt(variance * most[series]) / 16384)
        shift = shift > other and shift or other
        shifts[series] = shift
        for r = 1, #rows do
            deviations[series][r] = sqrt(variance * squares[series][r]) / (1 << shift)
        end
    end
    part.filter_divisor_x, part.filter_divisor_y = 1 << shifts[1], 1 << shifts[2]
    return deviations
end

local function set_shifts(plan, part, deviations)
    local rows = part.rows
    local power = {{}, {}}
    local largest_x, largest_y = 0, 0
    for r = 1, #rows do
        local clamp_x = bits(REACH_OF_CLAMP * deviations[1][r])
        local clamp_y = bits(REACH_OF_CLAMP * deviations[2][r])
        clamp_x, clamp_y = clamp_x > 1 and clamp_x or 1, clamp_y > 1 and clamp_y or 1
        rows[r].clamp_x, rows[r].clamp_y = 1 << clamp_x, 1 << clamp_y
        local x, y = 2 * clamp_x + 1 - POWER_BITS, 2 * clamp_y + 1 - POWER_BITS
        x, y = x > 0 and x or 0, y > 0 and y or 0
        y = y + (x + y) % 2
        rows[r].power_shift_x, rows[r].power_shift_y, rows[r].power_divisor = x, y, 1 << (x + y) // 2
        power[1][r], power[2][r] = x, y
        largest_x, largest_y = x > largest_x and x or largest_x, y > largest_y and y or largest_y
    end
    local box_sum = 0
    for m = 1, #plan.box do
        box_sum = box_sum + plan.box[m]
    end
    local box_bits = bits(box_sum)
    local total_x, total_y = largest_x + box_bits, largest_y + box_bits
    total_y = total_y + (total_x + total_y) % 2
    local variances_x, variances_y = {}, {}
    for r = 1, #rows do
        local dx, dy = deviations[1][r], deviations[2][r]
        variances_x[r], variances_y[r] = dx * dx, dy * dy
        local row, x, y = rows[r], power[1][r], power[2][r]
        row.sum_divisor_x, row.sum_divisor_y = 1 << total_x - x, 1 << total_y - y
        row.sum_divisor = 1 << (total_x + total_y) // 2 - (x + y) // 2
    end
    for r = 1, #rows do
        local row = rows[r]
        if row.is_counted then
            local mean_x, mean_y = 0.0, 0.0
            for m = 1, #plan.box do
                local j = row.j + plan.centre - m + 1
                if j >= 0 and j <= plan.J then
                    local of_row = j - part.first_row + 1
                    local weight = plan.box[m] * 8192
                    mean_x, mean_y = mean_x + weight * variances_x[of_row], mean_y + weight * variances_y[of_row]
                end
            end
            local x = bits(mean_x / (1 << total_x) / (sqrt(2) * 8192))
            local y = bits(mean_y / (1 << total_y) / (sqrt(2) * 8192))
            y = y + (x + y) % 2
            row.box_shift_x, row.box_shift_y, row.box_divisor = x, y, 1 << (x + y) // 2
        end
    end
end

local function add(plan, n, n_samples, step, lowest, highest, edge)
    local part = {
        number = #plan.parts, n = n, n_series = series_of(plan, n), n_samples = n_samples, step = step, length = n_samples * step, period = n * step,
        lowest = lowest, highest = highest, rows = {}, points = {},
    }
    part.nyquist = nyquist_weight(plan, part)
    part.wraps = not edge and part.period > 995 / 1000 * plan.n_padded
    local first = reach_of(plan, lowest)
    local _, last = reach_of(plan, highest)
    part.first_row = first
    for j = first, last do
        part.rows[j - first + 1] = {j = j, n_paired = lesser(part.n_series, plan.paired[j + 1])}
    end
    plan.parts[#plan.parts + 1] = part
    for j = first, last do
        set_grid(plan, part, row_of(part, j))
    end
    for j = lowest, highest do
        if 2 * plan.first_usable[j + 1] < plan.n_samples then
            set_counts(plan, part, row_of(part, j), edge)
        end
    end
    for j = first, last do
        set_outputs(plan, part, row_of(part, j))
    end
    set_shifts(plan, part, set_filters(plan, part))
    part.points = nil
    collectgarbage() -- or what each part leaves behind would add up
end

-- In how many simulations of a cycle each scale of the main parts is due, and with how many series of either kind. From the
-- smallest scale up: a simulation in which a smaller one is due has all larger ones as well.
local function set_due(plan, mains)
    local often, series = {}, {} -- how many simulations run each part
    for p = 1, #mains do
        often[p], series[p] = 0, series_of(plan, mains[p].n)
    end
    local due = 0
    for j = plan.lowest_main, plan.J do
        local own = 1
        while mains[own].lowest > j do
            own = own + 1
        end
        if due < LEAST_DUE then
            often[own] = often[own] + LEAST_DUE - due
            due = LEAST_DUE
        end
        local wanted, known, m = needed(plan, j), 0.0, 1
        while true do
            known = 0.0
            for p = 1, #mains do
                known = known + often[p] * INFORMATION[lesser(m, series[p])]
            end
            if known >= wanted - TINY or m == 4 then
                break
            end
            m = 2 * m
        end
        if known < wanted - TINY then
            local more = lesser(CYCLE - due, up((wanted - known) / INFORMATION[series[own]]))
            often[own], due = often[own] + more, due + more
        end
        local pairs = 0
        for p = 1, #mains do
            local paired = lesser(m, series[p])
            pairs = pairs + often[p] * paired * paired
        end
        plan.due[j + 1], plan.paired[j + 1], plan.pairs[j + 1] = due, m, pairs
        plan.is_sparse[j + 1] = known >= SPARSE_SURPLUS * wanted
    end
end

-- A part for scales lowest .. highest, as short as their standard errors and its edges allow.
local function add_short(plan, lowest, highest)
    local sigma = plan.sigma
    local first = reach_of(plan, lowest)
    local _, last = reach_of(plan, highest)
    local step = sigma[first + 1] / DECIMATION
    if step <= 1 + TINY then
        step = 1.0
    end
    local widest = sigma[last + 1]
    local edge = EDGE * widest
    local long, least = SHORT_LENGTH * sigma[highest + 1], 2 * edge + INTERIOR * sigma[highest + 1]
    long = long > least and long or least
    local zeros = plan.n_padded - plan.n_samples
    zeros = zeros < 8 * widest and zeros or 8 * widest
    local n, n_samples = least_power((long + zeros) / step), 0
    if n * step < plan.n_samples + plan.padding - TINY and n < plan.n_padded then
        n_samples = n - up(zeros / step)
    else
        n, n_samples, step = main_size(plan, lowest)
        edge = nil
    end
    -- As often as the largest of its scales needs it, being shorter than the whole series.
    local outside = 2 * plan.first_usable[highest + 1]
    local often = needed(plan, highest) * (plan.n_samples - outside) / (n_samples * step - outside)
    local most = series_of(plan, n)
    local due = up(often / INFORMATION[most])
    due = lesser(CYCLE, due > LEAST_DUE and due or LEAST_DUE)
    for j = lowest, highest do
        local wanted, m = often * sigma[j + 1] / sigma[highest + 1] - TINY, 1
        while m < most and due * INFORMATION[m] < wanted do
            m = 2 * m
        end
        plan.due[j + 1], plan.paired[j + 1], plan.pairs[j + 1] = due, m, due * m * m
        plan.is_sparse[j + 1] = due * INFORMATION[m] >= SPARSE_SURPLUS * wanted
    end
    add(plan, n, n_samples, step, lowest, highest, edge)
end

-- For the place 0 .. 63 of a simulation in its cycle (index + 1): main part (index) and lowest counted scale, as far as
-- there is one.
local function set_cycle(plan)
    plan.main_of, plan.lowest_of = {}, {}
    if plan.n_main == 0 then
        return
    end
    for place = 0, plan.due[plan.J + 1] - 1 do
        local lowest = plan.lowest_main
        while plan.due[lowest + 1] <= place do
            lowest = lowest + 1
        end
        local number = 1
        while plan.parts[number].lowest > lowest do
            number = number + 1
        end
        plan.main_of[place + 1], plan.lowest_of[place + 1] = number, lowest
    end
end

-- Main parts, from the coarsest: those for which a simulation ends at one of their scales.
local function add_mains(plan)
    local mains = {}
    local i = plan.J
    while i >= 0 do
        local n, n_samples, step = main_size(plan, i)
        if n > LARGEST_MAIN then
            break
        end
        while i > 0 and main_size(plan, i - 1) == n do
            i = i - 1
        end
        mains[#mains + 1] = {n = n, n_samples = n_samples, step = step, lowest = i}
        i = i - 1
    end
    plan.lowest_main = i + 1
    set_due(plan, mains)
    local above = plan.J
    for p = 1, #mains do
        local main = mains[p]
        for j = main.lowest, above do
            if plan.due[j + 1] > (j > plan.lowest_main and plan.due[j] or 0) then
                add(plan, main.n, main.n_samples, main.step, j, plan.J, nil)
                break
            end
        end
        above = main.lowest - 1
    end
    plan.n_main = #plan.parts
    return i
end

-- config: as for fast.new. deviates: the 256 of one byte. weights: what fast_weights.lua returns.
-- box: what smoothing.box returns. sigma, first_usable: index 1 .. J + 1, scales and first usable samples, in samples.
-- deviates: index 0 .. 255. Cost: nearly all of docs/cost.md, "set-up". Creates all tables of the plan.
function fast_plan.new(config, box, sigma, first_usable, deviates, weights)
    nearest, up, down, least_power = weights.nearest, weights.up, weights.down, weights.least_power
    bits, quadrature, trimmed, kernel = weights.bits, weights.quadrature, weights.trimmed, weights.kernel
    local J = config.J
    local is_white = config.surrogates == "white"
    local n_padded = 1
    while n_padded < config.n_samples do
        n_padded = 2 * n_padded
    end
    local twice = 2 * box.end_weight
    local unit = abs(twice - nearest(twice)) < TINY and 2 or 256
    local box_weights = {}
    for m = 1, box.length do
        box_weights[m] = (m == 1 or m == box.length) and nearest(unit * box.end_weight) or unit
    end
    local sum = 0
    for i = 0, 255 do
        sum = sum + deviates[i] * deviates[i]
    end
    local plan = {
        bins = (J + 1) * config.n_bins, is_sparse = {},
        J = J, n_samples = config.n_samples, n_padded = n_padded, box = box_weights, centre = box.centre,
        sigma = sigma, first_usable = first_usable, due = {}, paired = {}, pairs = {}, parts = {}, kernels = {}, filters = {},
        lag1 = {is_white and 0 or config.lag1_x, is_white and 0 or config.lag1_y},
        largest_deviate = 2 * deviates[255], deviate_variance = 2 * (sum / 256),
        gaussian = weights.gaussian_table(up(256 * BAND) + 2),
    }
    local padding = PADDING * sigma[J + 1]
    plan.padding = lesser(n_padded - plan.n_samples, padding)
    for j = 1, J + 1 do
        plan.due[j], plan.paired[j], plan.pairs[j] = 0, 1, 0
    end
    local i = add_mains(plan)
    while i >= 0 do
        local lowest = i
        -- An octave; and what is sampled at the full rate anyway.
        while lowest > 0
            and (sigma[lowest] > sigma[i + 1] / 2 * (1 + TINY) or sigma[reach_of(plan, lowest) + 1] <= DECIMATION) do
            lowest = lowest - 1
        end
        add_short(plan, lowest, i)
        i = lowest - 1
    end
    set_cycle(plan)
    plan.gaussian, plan.kernels, plan.filters = nil, nil, nil
    return plan
end

return fast_plan
