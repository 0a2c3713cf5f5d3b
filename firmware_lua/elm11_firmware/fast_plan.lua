-- fast_plan.lua: the fast pipeline's plan, number for number that of fast_plan.py, which explains it.
--
-- `new` returns parts: tables as `Part` and `Row` there, with these differences. Shifts are kept as what is divided by. Kinds of equal noise share its response.
--
-- Loops take the place of logarithms, recurrences that of exponentials and cosines: on the board those cost a hundred
-- additions, and their last bit differs from library to library.
import("math", "abs")
import("math", "cos")
import("math", "floor")
import("math", "sin")
import("math", "sqrt")
import("table", "unpack")
local collectgarbage, unpack = collectgarbage, table.unpack
local abs, cos, floor, sin, sqrt, pi = math.abs, math.cos, math.floor, math.sin, math.sqrt, math.pi
local _ENV = nil -- from here a stray global is an error
local fast_plan = {}

local CYCLE = 256
local DUE_MARGIN = 148 / 100
local WIDE_MARGIN = 180 / 100
local NARROW = 42 / 10
local LEAST_DUE = 6
local INFORMATION = {10, 38, nil, 150} -- in tenths
local PAIR_ROOM = 31000
local LARGEST_SHARED = 256
local FEW_BINS = 11700
local FEW_BINS_OF_SMALL = 17500
local SMALL = 128
local LARGEST_MAIN = 512
local LEAST_MAIN = 128
local LARGEST = 1024 -- points of a transform
local ROOM = 400 -- thousands of bytes in use
local SHORT_LENGTH = 45
local LEAST_GRID = 16
local GRID_STEP = 12 / 10
local OUTPUT_STEP = 9 / 10
local WIDE_OUTPUT_STEP = 2
local WIDE_FROM = 14
local SHORT_SERIES = 64
local SPARSE_OUTPUT_STEP = 24 / 10
local SPARSE_SURPLUS = 13 / 10
local BAND = 31 / 10
local KERNEL_REACH = 29 / 10
local LONG_KERNEL_REACH = 39 / 10
local DECIMATION = 3
local PADDING = 22 / 10
local EDGE = 6
local INTERIOR = 8
local LARGEST_NOISE = 2047
local POWER_BITS = 18
local WEIGHT = 64
local MEAN_COUNT = 185
local TINY = 1 / 1000000000
local ROUNDING = 105 / 100
local REACH_OF_CLAMP = 57 / 10
local HALF = 1 / 2

-- Functions of fast_weights.lua, set by `new`.
local nearest, up, down, least_power, bits, kernel
local point_weights, output_weights, all_outputs, round_from

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

-- The information that scale j needs from a cycle, in tenths of a pair.
local function needed(plan, j)
    local usable = (plan.n_samples - 2 * plan.first_usable[j + 1]) / plan.sigma[j + 1]
    local margin = usable < NARROW and DUE_MARGIN * (usable / NARROW) or usable < WIDE_FROM and DUE_MARGIN or WIDE_MARGIN
    return 10 * CYCLE * margin * plan.sigma[j + 1] / plan.sigma[plan.J + 1]
end

-- Whether the histogram has so many tenths of FEW_BINS at most.
local function has_bins(plan, tenths)
    return 10 * plan.bins <= tenths * (plan.n_padded <= SMALL and FEW_BINS_OF_SMALL or FEW_BINS)
end

-- How many series of either kind a part of n points has.
local function series_of(plan, n)
    if n > LARGEST_SHARED then
        return 1
    end
    local share = has_bins(plan, 10) and 1 or has_bins(plan, 20) and 2 or has_bins(plan, 25) and 4 or 16
    local room = PAIR_ROOM // share // (n * #plan.box)
    return room >= 40 and 4 or room >= 12 and 2 or 1
end

local function lesser(x, y)
    return x < y and x or y
end

-- The same array with no more slots than it needs: while it grew, they were a power of two.
local function trimmed(array)
    return #array <= 200 and {unpack(array)} or array -- more would need too large a piece of memory for Lua's stack
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
    return plan.n_padded, n_samples, 1.0
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
    local n = least_power(period / (GRID_STEP * sigma))
    n = lesser(n > LEAST_GRID and n or LEAST_GRID, part.n)
    local band = lesser(BAND, (n - 1) * k / 2)
    local first, last = up((6 - band) / k), down((6 + band) / k)
    first = first > 1 and first or 1
    last = lesser(last, part.nyquist > 0 and part.n // 2 or part.n // 2 - 1)
    row.n, row.first_frequency, row.n_frequencies = n, first, last > first and last - first + 1 or 1
end

-- Histogram weights of a scale's outputs, `step` apart, `unit` inside: the first output's place, and whole numbers, none at the
-- ends zero.
local function histogram_weights(plan, part, j, step, unit, edge)
    local sigma, first, origin = plan.sigma[j + 1], plan.first_usable[j + 1], part.step / 2 - HALF
    local first_inside, last_inside, is_before, is_after, a, b, c, d =
        output_weights(plan.fall, first - HALF, part.length - HALF - first, origin, step, sigma)
    local from, to = is_before and first_inside - 1 or first_inside, is_after and last_inside + 1 or last_inside
    local weights
    if unit >= 1 and not edge and to - from > 3 then -- whole inside: only the ends are rounded
        local ends = round_from(round_from({unit * a, unit * b, unit * d, unit * c}, 1, 2), -1, 2)
        weights = {ends[1], ends[2]}
        for i = 3, to - from - 1 do weights[i] = unit end
        weights[#weights + 1], weights[#weights + 2] = ends[3], ends[4]
    else
        from, weights = all_outputs(first_inside, last_inside, is_before, is_after, a, b, c, d)
        if edge then
            -- The interior of the whole series is so much longer than this part's.
            local ratio = (plan.n_samples - 2 * edge) / (part.length - 2 * edge)
            local start, values = all_outputs(output_weights(plan.fall, edge - HALF, part.length - HALF - edge, origin, step, sigma))
            for i = 1, #values do
                local place = start - from + i
                if weights[place] then
                    weights[place] = weights[place] + (ratio - 1) * values[i]
                end
            end
        end
        for i = 1, #weights do weights[i] = unit * weights[i] end
        local half = (#weights + 1) // 2
        round_from(round_from(weights, 1, half), -1, #weights - half)
    end
    local zeros = 0
    while weights[zeros + 1] == 0 do zeros = zeros + 1 end
    if zeros > 0 then
        for i = 1, #weights do weights[i] = weights[i + zeros] end
    end
    while weights[#weights] == 0 do weights[#weights] = nil end
    return from + zeros, trimmed(weights)
end

local function set_counts(plan, part, row, edge)
    row.is_counted = true
    local usable = plan.n_samples - 2 * plan.first_usable[row.j + 1]
    local longest = output_step(plan, row.j) * plan.sigma[row.j + 1]
    local n = least_power(part.period / longest)
    n = n > 4 and n or 4
    row.n_counted = lesser(n, part.n)
    local step = part.period / row.n_counted
    local mean = usable / longest * plan.pairs[row.j + 1] / CYCLE
    local unit = MEAN_COUNT / mean
    unit = (unit < WEIGHT and unit or WEIGHT * 1.0) * (step / longest)
    unit = unit >= 1 and floor(unit) or unit
    row.first_counted, row.weights = histogram_weights(plan, part, row.j, step, unit, edge)
end

local function row_of(part, j)
    return part.rows[j - part.first_row + 1]
end

-- Smoothing weights for a step and a reach in scales. Grids of several parts have the same at the same scale, and share them.
local function shared_kernel(plan, ratio, reach, is_dense)
    local kernels = plan.kernels
    for k = 1, #kernels do
        local known = kernels[k]
        if known.ratio == ratio and known.reach == reach and known.is_dense == is_dense then
            return known.whole, known.half
        end
    end
    local whole, half = kernel(ratio, reach, is_dense)
    kernels[#kernels + 1] = {ratio = ratio, reach = reach, is_dense = is_dense, whole = whole, half = half}
    return whole, half
end

local function set_outputs(plan, part, row)
    local n_box = #plan.box
    local first, last = row.j - plan.centre, row.j - plan.centre + n_box - 1
    first = first > part.lowest and first or part.lowest
    last = last < part.highest and last or part.highest
    local n_outputs, n_series, from, to = 0, 0, LARGEST, 0 -- these two in 1/LARGEST of the period
    for i = first, last do
        local user = row_of(part, i) if user.is_counted then
            local n, m, stride = user.n_counted, user.n_paired, LARGEST // user.n_counted
            local low, high = user.first_counted * stride, (user.first_counted + #user.weights - 1) * stride
            n_outputs, n_series = n > n_outputs and n or n_outputs, m > n_series and m or n_series
            from, to = low < from and low or from, high > to and high or to
        end
    end
    row.n_series = n_series
    row.length = 0
    if n_outputs == 0 then
        return
    end
    local unit = LARGEST // n_outputs
    row.n_outputs, row.first_output, row.length = n_outputs, from // unit, (to - from) // unit + 1
    if row.n < n_outputs // 2 then
        row.n = n_outputs // 2
    end
    local step, sigma = part.period / row.n, plan.sigma[row.j + 1]
    local reach = sigma * pi < 6 + BAND and LONG_KERNEL_REACH or KERNEL_REACH
    row.kernel, row.half_kernel = shared_kernel(plan, step / sigma, reach, n_outputs > row.n)
    local first_point, last_point, a, b = point_weights(-HALF, part.length - HALF, part.step / 2 - HALF, step, sigma, part.period - part.length)
    a, b = nearest(256 * a), nearest(256 * b)
    row.first_point, row.n_points = first_point, last_point + 1 - first_point
    if part.wraps and row.n_points > row.n then -- both are the same point of the period, which belongs to both ends
        a = a + b
        b = a
    end
    row.first_weight, row.last_weight = a, b
end

-- Filter of a row. Rows with the same scale in periods have the same, unless it reaches to a part's highest frequency.
local function set_filter(plan, part, row)
    local gaussian, nyquist = plan.gaussian, part.n // 2
    local first, n_frequencies = row.first_frequency, row.n_frequencies
    local has_nyquist = first + n_frequencies > nyquist
    local k = nearest(2 * pi / part.period * plan.sigma[row.j + 1] * 1048576)
    local known = plan.filters[k]
    if known and #known == n_frequencies and not has_nyquist then
        row.filter = known
        return
    end
    local filter = {}
    local phase = first * k - 6291456 + 4096 -- 6 in 2^-20, and half a step of the table
    for i = 1, n_frequencies do
        -- The table's index: |phase| / 8192, rounded.
        filter[i], phase = gaussian[(phase < 4096 and 8192 - phase or phase) // 8192 + 1], phase + k
    end
    if has_nyquist then
        filter[n_frequencies] = filter[n_frequencies] * part.nyquist >> 15
    end
    filter = trimmed(filter)
    row.filter = filter
    plan.filters[k] = not has_nyquist and filter or nil
end

-- The noise's response to its innovations at the part's frequencies (index f - lowest + 1), with a largest modulus of `peak`
-- below 2048. Both parts in one integer, since memory is short: (re + 2048) 2^12 + im + 2048.
local function response(part, lag1, coarse, peak)
    local fine, turn, lowest, highest = 2 * pi / part.period, 2 * pi / part.n, part.lowest_frequency, part.highest_frequency
    local mean, depth, coarse_mean = 1 + lag1 * lag1, 2 * lag1, 1 + coarse * coarse
    local one, other = mean - depth * cos(fine * lowest), mean - depth * cos(fine * highest)
    local unit = peak * sqrt(one < other and one or other)
    local v_step, step, is_coarse = 2 * cos(fine), 2 * cos(turn), part.step ~= 1
    -- depth cos(f fine), A cos(f turn), A sin(f turn), and each before it
    local v, v_before = depth, depth * cos(fine)
    local c, c_before, s, s_before = coarse, coarse * cos(turn), 0.0, -coarse * sin(turn)
    local both = {}
    for f = 1 - lowest, highest - lowest + 1 do
        local inverse = coarse_mean - (c + c) if is_coarse then
            inverse, v, v_before = sqrt((mean - v) * inverse), v_step * v - v_before, v
        end
        if f > 0 then
            local scale = unit / inverse both[f] = (floor(scale - scale * c + HALF) + 2048 << 12) + floor(HALF - scale * s) + 2048
        end
        c, c_before, s, s_before = step * c - c_before, c, step * s - s_before, s
    end
    return trimmed(both)
end

-- What `response` has packed: real part and modulus of the imaginary one.
local function unpacked(value)
    return (value >> 12) - 2048, abs((value & 4095) - 2048)
end

-- Sum over a row's frequencies of |filter times response|^2, from eight of them or some more, and what it cannot exceed.
local function squares_of(plan, part, row, kind)
    local filter, count, sum, noise = row.filter, row.n_frequencies, 0, part.noise[kind]
    local stride = count // 8
    stride = stride > 1 and part.lag1[kind] >= 0 and stride or 1
    local largest = 4194304.0
    if noise then
        local offset = row.first_frequency - part.lowest_frequency
        local a, b = unpacked(noise[offset + 1])
        local c, d = unpacked(noise[offset + count])
        local one, other = a * a + b * b, c * c + d * d
        largest = (one > other and one or other) * 1.0
        one, other = a + b, c + d
        local shift = bits(one > other and one or other)
        for i = stride // 2 + 1, count, stride do
            local weight, value = filter[i], noise[offset + i] -- unpacked here: a call costs as much as all of this
            a, b = (value >> 12) - 2048, (value & 4095) - 2048
            a, b = weight * a >> shift, weight * (b < 0 and -b or b) >> shift sum = sum + a * a + b * b
        end
        local power = 1 << shift
        sum = stride * sum * 1.0 * power * power / 4194304
    else
        for i = stride // 2 + 1, count, stride do sum = sum + filter[i] * filter[i] end
        sum = stride * sum * 1.0
    end
    return sum, largest * (sqrt(pi) / (2 * pi / part.period * plan.sigma[row.j + 1]) + 1)
end

-- What makes noise of innovations: of each kind lag and gain in 1/4096, the response if it is red; and the shifts that keep
-- every sum below 2^31 and as large as that allows. Returns the standard deviations of all rows' transforms.
local function set_noise(plan, part)
    local rows, n_samples = part.rows, part.n_samples
    local lag1, gain, end_of, is_red = {}, {}, {}, false
    for kind = 1, 2 do
        local coarse = coarse_lag1(plan.lag1[kind], part.step)
        lag1[kind], gain[kind] = nearest(4096 * coarse), nearest(4096 / sqrt(1 - coarse * coarse))
        end_of[kind] = abs(coarse) / (1 - abs(coarse))
        is_red = is_red or lag1[kind] ~= 0
    end
    part.lag1, part.start_gain, part.noise = lag1, gain, {}
    local divisors, deviations = {}, {}
    for kind = 1, 2 do
        if kind == 2 and plan.lag1[1] == plan.lag1[2] then
            part.noise[2] = part.noise[1]
            divisors[2], deviations[2] = divisors[1], deviations[1]
            break
        end
        local start, lag = gain[kind] / 4096, lag1[kind] / 4096
        local peak = floor(2147483647 / (2 * ROUNDING * (plan.largest_deviate * (n_samples + start + end_of[kind]))))
        if is_red then
            part.noise[kind] = response(part, plan.lag1[kind], coarse_lag1(plan.lag1[kind], part.step),
                peak < LARGEST_NOISE and peak or LARGEST_NOISE)
        end
        local squares, largest, most = {}, 0.0, 0.0
        for r = 1, #rows do
            local square, bound = squares_of(plan, part, rows[r], kind)
            squares[r], largest, most = square, square > largest and square or largest, bound > most and bound or most
        end
        local variance = 2 * plan.deviate_variance * (n_samples - 1 + start * start + lag * lag * (start * start))
        start = start + end_of[kind]
        local bound = 2 * ROUNDING * plan.largest_deviate * sqrt(part.n * (n_samples - 1 + start * start))
        local shift = bits(bound * sqrt(most) / 1048576)
        local other = bits(REACH_OF_CLAMP * (sqrt(variance) * sqrt(largest)) / 16384)
        shift = shift > other and shift or other
        divisors[kind] = 1 << shift
        for r = 1, #rows do squares[r] = sqrt(variance * squares[r]) / divisors[kind] end
        deviations[kind] = squares
    end
    part.filter_divisor_x, part.filter_divisor_y = divisors[1], divisors[2]
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
    local mean_x, mean_y = box_sum * 8192 / (1 << total_x) / (sqrt(2) * 8192), box_sum * 8192 / (1 << total_y) / (sqrt(2) * 8192)
    for r = 1, #rows do
        local row, x, y = rows[r], power[1][r], power[2][r]
        row.sum_divisor_x, row.sum_divisor_y = 1 << total_x - x, 1 << total_y - y
        row.sum_divisor = 1 << (total_x + total_y) // 2 - (x + y) // 2
        if row.is_counted then
            local dx, dy = deviations[1][r], deviations[2][r]
            x, y = bits(dx * dx * mean_x), bits(dy * dy * mean_y)
            y = y + (x + y) % 2
            row.box_shift_x, row.box_shift_y, row.box_divisor = x, y, 1 << (x + y) // 2
        end
    end
end

local function add(plan, n, n_samples, step, lowest, highest, edge)
    local part = {
        number = #plan.parts, n = n, n_series = series_of(plan, n), n_samples = n_samples, step = step, length = n_samples * step, period = n * step,
        lowest = lowest, highest = highest, rows = {},
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
    local lowest_frequency, highest_frequency = n, 0
    for j = first, last do
        local row = row_of(part, j)
        set_outputs(plan, part, row)
        set_filter(plan, part, row)
        local f = row.first_frequency
        lowest_frequency = f < lowest_frequency and f or lowest_frequency
        f = f + row.n_frequencies - 1
        highest_frequency = f > highest_frequency and f or highest_frequency
    end
    part.lowest_frequency, part.highest_frequency = lowest_frequency, highest_frequency
    set_shifts(plan, part, set_noise(plan, part))
    if collectgarbage("count") > ROOM then
        collectgarbage() -- or what each part leaves behind would add up
    end
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
        local wanted, known, m = needed(plan, j), 0, 1
        while true do
            known = 0
            for p = 1, #mains do known = known + often[p] * INFORMATION[lesser(m, series[p])] end
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
    local long, length = SHORT_LENGTH * sigma[highest + 1], 2 * edge + INTERIOR * sigma[highest + 1]
    length = has_bins(plan, 22) and long > length and long or length
    local zeros = plan.n_padded - plan.n_samples
    zeros = zeros < 8 * widest and zeros or 8 * widest
    local n, n_samples = least_power((length + zeros) / step), 0
    if n * step < plan.n_samples + plan.padding - TINY and n < plan.n_padded then
        n_samples = n - up(zeros / step)
    else
        n, n_samples, step = main_size(plan, lowest)
        edge = nil
    end
    -- As often as the largest of its scales needs it, its interior standing for the whole series'.
    local often = needed(plan, highest)
    if edge then
        local outside, interior = 2 * plan.first_usable[highest + 1], n_samples * step - 2 * edge
        local ratio = (plan.n_samples - 2 * edge) / interior
        often = often * ((interior * ratio * ratio + 2 * edge - outside) / (plan.n_samples - outside))
    end
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
    while #mains > 1 and mains[1].n < LEAST_MAIN do
        for p = 1, #mains do mains[p] = mains[p + 1] end
    end
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
    bits, kernel, point_weights, output_weights = weights.bits, weights.kernel, weights.point_weights, weights.output_weights
    all_outputs, round_from = weights.all_outputs, weights.round_from
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
        gaussian = weights.gaussian_table(up(128 * BAND) + 2), fall = weights.fall_table(),
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
    plan.gaussian, plan.fall, plan.kernels, plan.filters = nil, nil, nil, nil
    return plan
end

return fast_plan
