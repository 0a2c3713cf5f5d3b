-- fast.lua: the fast pipeline, simulation by simulation; the same counts as fast.py, which explains the steps.
--
-- While the board watches for the `q` key, every new line and every jump back costs as much as two additions. So the inner
-- loops do several things per line, and two at a time where they can.
--
-- All work is in integers below 2^31 (fast_plan.lua chooses the shifts). Products that may be negative are divided, not
-- shifted: `//` rounds down as NumPy's shift does, while Lua's shift fills in zeros.
--
-- Interface as monte_carlo.lua: load, new, reset, begin, scale, step.
local collectgarbage, run_program = collectgarbage, run_program
local _ENV = nil -- from here a stray global is an error
local fast = {}

local CHUNK = 1024
local BLOCK_LENGTH = 128 -- words drawn from one state
local SERIES = 0x40000000 -- number of the first random series

-- All modules that a simulation needs, each loaded once.
function fast.load()
    return {
        fast = fast,
        rednoise = run_program("rednoise.lua"),
        wavelet = run_program("wavelet.lua"),
        smoothing = run_program("smoothing.lua"),
        fft_codelets = run_program("fft_codelets.lua"),
        integer_fft = run_program("integer_fft.lua"),
        fast_plan = run_program("fast_plan.lua"),
        fast_weights = run_program("fast_weights.lua"),
        fast_tables = run_program("fast_tables.lua"),
    }
end

local function zeros(n)
    local array = {}
    for i = 1, n do
        array[i] = 0
    end
    return array
end

-- A histogram for every scale, two bins of 16 bits in one integer: bin b is in slot b >> 1, the even one in the lower
-- half; slot s is in piece (s >> 10) + 1.
local function histograms(J, n_bins)
    local counts = {}
    local slots = (n_bins + 1) // 2
    for j = 0, J do
        local row = {}
        for start = 0, slots - 1, CHUNK do
            row[#row + 1] = zeros(slots - start < CHUNK and slots - start or CHUNK)
        end
        counts[j + 1] = row
    end
    return counts
end

-- Values of a byte, index 0 .. 255. (Index 0 is in the hash part, which one access in 256 pays for.)
local function byte_deviates(upper)
    local deviates = {}
    for i = 1, 128 do
        deviates[128 - i] = -upper[i]
        deviates[127 + i] = upper[i]
    end
    local ordered = {}
    for i = 1, 255 do
        ordered[i] = deviates[i]
    end
    ordered[0] = deviates[0]
    return ordered
end

-- Arrays that all parts share, each as long as the longest use of it.
local function work_arrays(plan)
    local n, grid, points, outputs = 4, 4, 4, 1
    for p = 1, #plan.parts do
        local part = plan.parts[p]
        n = part.n > n and part.n or n
        for r = 1, #part.rows do
            local row = part.rows[r]
            if row.length > 0 then
                local needed = row.n_points + 2 * #row.kernel
                grid = row.n > grid and row.n or grid
                points = needed > points and needed or points
                outputs = row.length > outputs and row.length or outputs
            end
        end
    end
    return n, grid, points, outputs
end

local function is_five(box)
    return #box == 5 and box[1] == 1 and box[2] == 2 -- the ends and what is between them: all weights
end

-- Modules that only `new` needs. It takes them out of the table of modules, so that their memory is free for a run.
local FOR_PLANNING = {"wavelet", "smoothing", "fast_plan", "fast_weights", "fast_tables"}

local function planning(modules)
    local taken = {}
    for i = 1, #FOR_PLANNING do
        local name = FOR_PLANNING[i]
        taken[name] = modules[name] or run_program(name .. ".lua")
        modules[name] = nil
    end
    return taken
end

-- Allocates all that the simulations of one experiment need. config as for monte_carlo.new; modules from fast.load.
function fast.new(config, modules)
    local tools = planning(modules)
    local mother = tools.wavelet.mothers[config.wavelet]
    local box = tools.smoothing.box(config.dj, mother.scale_decorrelation, config.scale_box)
    local J = config.J
    local sigma, first_usable = {}, {}
    for j = 0, J do
        local of_scale = config.sigma0 * 2 ^ (j * config.dj)
        sigma[j + 1] = of_scale
        first_usable[j + 1] = tools.wavelet.first_usable(mother, of_scale)
    end
    local deviates = byte_deviates(tools.fast_tables)
    local plan = tools.fast_plan.new(config, box, sigma, first_usable, deviates, tools.fast_weights)
    tools = nil
    collectgarbage() -- the programs that planned, and what they used
    local n, grid, points, outputs = work_arrays(plan)
    local spare = {}
    for m = 1, #plan.box do
        spare[m] = {zeros(outputs), zeros(outputs), zeros(outputs), zeros(outputs)}
    end
    return {
        config = config, modules = modules, plan = plan, J = J, n_bins = config.n_bins, bins_per_slot = 2,
        seed_low = config.seed_low, seed_high = config.seed_high, deviates = deviates,
        transform = modules.integer_fft.plan(n, modules.fft_codelets), words = zeros(BLOCK_LENGTH),
        re = zeros(n), im = zeros(n), nyquist_re = 0, nyquist_im = 0,
        w1_re = zeros(grid), w1_im = zeros(grid), w2_re = zeros(grid), w2_im = zeros(grid),
        powers = {zeros(points), zeros(points), zeros(points), zeros(points)},
        smoothed = {}, spare = spare, is_five = is_five(plan.box),
        sums = {zeros(outputs), zeros(outputs), zeros(outputs), zeros(outputs)}, nothing = {{0}, {0}, {0}, {0}},
        box_values = zeros(5), box_index = zeros(5), box_stride = zeros(5),
        counts = histograms(J, config.n_bins), n_simulations = 0,
    }
end

-- The innovations of both series of a part, in bit-reversed order, to re and im.
function fast.draw(state, part, simulation)
    local re, im, places, deviates = state.re, state.im, state.transform.places[part.n], state.deviates
    local rednoise, words = state.modules.rednoise, state.words
    local n_samples, n = part.n_samples, part.n
    local lag_x, lag_y = part.lag1[1], part.lag1[2]
    local is_red = lag_x ~= 0 or lag_y ~= 0
    local series = SERIES + (part.number << 16)
    local x, y = 0, 0
    for block = 0, (n_samples - 1) // BLOCK_LENGTH do
        local start = block * BLOCK_LENGTH
        local count = n_samples - start
        count = count < BLOCK_LENGTH and count or BLOCK_LENGTH
        rednoise.draw(words, count,
            rednoise.stream_state(state.seed_low, state.seed_high, simulation, series, block))
        for k = 1, count do
            local word = words[k]
            local e = deviates[word & 255] + deviates[word >> 8 & 255]
            local f = deviates[word >> 16 & 255] + deviates[word >> 24]
            local i = places[start + k]
            re[i], im[i] = e, f
            if is_red then
                if start + k == 1 then
                    x, y = e * part.start_gain[1] // 4096, f * part.start_gain[2] // 4096
                    re[i], im[i] = x, y
                else
                    x, y = x * lag_x // 4096 + e, y * lag_y // 4096 + f
                end
            end
        end
    end
    for t = n_samples + 1, n do
        local i = places[t]
        re[i], im[i] = 0, 0
    end
    if is_red then
        local i = places[n_samples % n + 1]
        re[i], im[i] = re[i] + -(x * lag_x) // 4096, im[i] + -(y * lag_y) // 4096
    end
end

-- For the transform of x + i y: 2 X(f) to the place of frequency f, 2 Y(f) to that of -f, for the frequencies that the
-- part's filters use. Both are real at n / 2: re keeps 2 X there, and state.nyquist_re 2 Y.
function fast.separate(state, part)
    local re, im, n = state.re, state.im, part.n
    local highest = part.highest_frequency
    if highest == n // 2 then
        local i = highest + 1
        state.nyquist_re = 2 * im[i]
        re[i], im[i] = 2 * re[i], 0
        highest = highest - 1
    end
    local j = n + 1 - part.lowest_frequency
    for i = part.lowest_frequency + 1, highest + 1 do
        local r, s, u, v = re[i], im[i], re[j], im[j]
        re[i], im[i] = r + u, s - v
        re[j], im[j] = s + v, u - r
        j = j - 1
    end
end

-- Both spectra times their filters, folded onto the row's grid in bit-reversed order.
function fast.filter(state, part, row)
    local re, im, n = state.re, state.im, row.n
    local w1_re, w1_im, w2_re, w2_im = state.w1_re, state.w1_im, state.w2_re, state.w2_im
    local places, filters = state.transform.places[n], row.filters
    local divisor_x, divisor_y = part.filter_divisor_x, part.filter_divisor_y
    local first, count = row.first_frequency, row.n_frequencies
    local f = first & n - 1
    local j = part.n + 1 - first
    local last = count
    local has_nyquist = first + count - 1 == part.n // 2
    if has_nyquist then
        last = count - 1
    end
    local i, k = first + 1, 1
    while k <= last do
        -- Up to the grid's end, then again from its beginning.
        local stop = k + n - 1 - f
        for at = k, stop < last and stop or last do
            f = f + 1
            local weights, place = filters[at], places[f]
            local x, y = weights & 2047, weights >> 11
            w1_re[place], w1_im[place], i = re[i] * x // divisor_x, im[i] * x // divisor_x, i + 1
            w2_re[place], w2_im[place], j = re[j] * y // divisor_y, im[j] * y // divisor_y, j - 1
        end
        k = stop + 1
        if f == n then
            f = 0
        end
    end
    if has_nyquist then
        f = f + 1
        local weights, place = filters[count], places[f]
        w1_re[place], w1_im[place] = re[i] * (weights & 2047) // divisor_x, 0
        w2_re[place], w2_im[place] = state.nyquist_re * (weights >> 11) // divisor_y, 0
        if f == n then
            f = 0
        end
    end
    for _ = count + 1, n do
        f = f + 1
        local place = places[f]
        w1_re[place], w1_im[place], w2_re[place], w2_im[place] = 0, 0, 0, 0
        if f == n then
            f = 0
        end
    end
end

local function clamped(value, limit)
    return value < -limit and -limit or value >= limit and limit - 1 or value
end

-- |W1|^2, |W2|^2 and W1 W2* at the row's grid points, with zeros on both sides for the kernel, to state.powers.
function fast.multiply(state, part, row)
    local w1_re, w1_im, w2_re, w2_im = state.w1_re, state.w1_im, state.w2_re, state.w2_im
    local powers = state.powers
    local p1, p2, re, im = powers[1], powers[2], powers[3], powers[4]
    local n, guard, count = row.n, #row.kernel, row.n_points
    local limit_x, limit_y = row.clamp_x, row.clamp_y
    local shift_x, shift_y, divisor = row.power_shift_x, row.power_shift_y, row.power_divisor
    local half_x, half_y, half = 1 << shift_x >> 1, 1 << shift_y >> 1, divisor >> 1
    local outside_x, outside_y = -2 * limit_x, -2 * limit_y
    for i = 1, guard do
        p1[i], p2[i], re[i], im[i] = 0, 0, 0, 0
        local j = guard + count + i
        p1[j], p2[j], re[j], im[j] = 0, 0, 0, 0
    end
    local i = row.first_point % n
    for j = guard + 1, guard + count do
        i = i < n and i + 1 or 1
        local r, s, u, v = w1_re[i], w1_im[i], w2_re[i], w2_im[i]
        if (r + limit_x | s + limit_x) & outside_x ~= 0 then
            r, s = clamped(r, limit_x), clamped(s, limit_x)
        end
        if (u + limit_y | v + limit_y) & outside_y ~= 0 then
            u, v = clamped(u, limit_y), clamped(v, limit_y)
        end
        p1[j], p2[j] = r * r + s * s + half_x >> shift_x, u * u + v * v + half_y >> shift_y
        re[j], im[j] = (r * u + s * v + half) // divisor, (s * u - r * v + half) // divisor
    end
    local edges, weights = row.edges, row.edge_weights
    for e = 1, #edges do
        local j, weight = edges[e] + guard, weights[e]
        p1[j], p2[j] = p1[j] * weight >> 8, p2[j] * weight >> 8
        re[j], im[j] = re[j] * weight // 256, im[j] * weight // 256
    end
    if part.wraps then -- beyond the ends is, once around the period, the other end
        for distance = 1, guard do
            if n - distance < count then
                local j, from = guard + 1 - distance, guard + 1 + n - distance
                p1[j], p2[j], re[j], im[j] = p1[from], p2[from], re[from], im[from]
            end
            if count + distance > n then
                local j, from = guard + count + distance, guard + count + distance - n
                p1[j], p2[j], re[j], im[j] = p1[from], p2[from], re[from], im[from]
            end
        end
    end
end

-- Outputs `from`, from + stride, ... of a row: sums around grid points centre, centre + step, ...
local function smooth_whole(state, row, out, from, stride, centre, step)
    local powers, kernel = state.powers, row.kernel
    local p1, p2, p3, p4 = powers[1], powers[2], powers[3], powers[4]
    local o1, o2, o3, o4 = out[1], out[2], out[3], out[4]
    local shift_x, shift_y, divisor = row.sum_shift_x, row.sum_shift_y, row.sum_divisor
    local reach, first = #kernel - 1, kernel[1]
    for o = from, row.length, stride do
        local a, b, c, d = p1[centre] * first, p2[centre] * first, p3[centre] * first, p4[centre] * first
        local low, high, weight = centre, centre, 0
        for m = 2, reach + 1 do
            low, high, weight = low - 1, high + 1, kernel[m]
            a, b = a + (p1[low] + p1[high]) * weight, b + (p2[low] + p2[high]) * weight
            c, d = c + (p3[low] + p3[high]) * weight, d + (p4[low] + p4[high]) * weight
        end
        o1[o], o2[o], o3[o], o4[o] = a >> shift_x, b >> shift_y, c // divisor, d // divisor
        centre = centre + step
    end
end

-- Outputs between grid points: half a step after `centre`, centre + 1, ...
local function smooth_half(state, row, out, from, stride, centre)
    local powers, kernel = state.powers, row.half_kernel
    local p1, p2, p3, p4 = powers[1], powers[2], powers[3], powers[4]
    local o1, o2, o3, o4 = out[1], out[2], out[3], out[4]
    local shift_x, shift_y, divisor = row.sum_shift_x, row.sum_shift_y, row.sum_divisor
    local reach = #kernel
    for o = from, row.length, stride do
        local a, b, c, d = 0, 0, 0, 0
        local low, high, weight = centre + 1, centre, 0
        for m = 1, reach do
            low, high, weight = low - 1, high + 1, kernel[m]
            a, b = a + (p1[low] + p1[high]) * weight, b + (p2[low] + p2[high]) * weight
            c, d = c + (p3[low] + p3[high]) * weight, d + (p4[low] + p4[high]) * weight
        end
        o1[o], o2[o], o3[o], o4[o] = a >> shift_x, b >> shift_y, c // divisor, d // divisor
        centre = centre + 1
    end
end

-- The row's products, smoothed in time at its outputs.
function fast.smooth(state, row)
    local spare = state.spare
    local out = spare[#spare] -- there are as many as the box has rows
    spare[#spare] = nil
    local guard = #row.kernel
    local first = row.first_output
    if row.n_outputs > row.n then -- outputs on grid points and between them
        local odd = first % 2
        smooth_whole(state, row, out, 1 + odd, 2, (first + odd) // 2 - row.first_point + guard + 1, 1)
        smooth_half(state, row, out, 2 - odd, 2, (first + 1 - odd) // 2 - row.first_point + guard + 1)
    else
        local step = row.n // row.n_outputs
        smooth_whole(state, row, out, 1, 1, first * step - row.first_point + guard + 1, step)
    end
    return out
end

-- Sums over the box's rows to state.sums, four arrays: the outputs of `row`. Rows beyond the first and last scale count
-- as zero. The rows between the outer two have one weight, the last of the box's.
local function sum_rows(state, part, row)
    local plan, smoothed, sums = state.plan, state.smoothed, state.sums
    local s1, s2, s3, s4 = sums[1], sums[2], sums[3], sums[4]
    local length, box = #row.weights, plan.box
    local is_first = true
    for m = 1, #box do
        local j = row.j + plan.centre - m + 1
        local values = smoothed[j]
        if values then
            local other = part.rows[j - part.first_row + 1]
            local stride = other.n_outputs // row.n_counted
            local i = row.first_counted * stride - other.first_output + 1
            local v1, v2, v3, v4 = values[1], values[2], values[3], values[4]
            local weight = box[m]
            if is_first then
                is_first = false
                for o = 1, length do
                    s1[o], s2[o], s3[o], s4[o] = v1[i] * weight, v2[i] * weight, v3[i] * weight, v4[i] * weight
                    i = i + stride
                end
            elseif weight == 1 then
                for o = 1, length do
                    s1[o], s2[o], s3[o], s4[o] = s1[o] + v1[i], s2[o] + v2[i], s3[o] + v3[i], s4[o] + v4[i]
                    i = i + stride
                end
            else
                for o = 1, length do
                    s1[o], s2[o] = s1[o] + v1[i] * weight, s2[o] + v2[i] * weight
                    s3[o], s4[o] = s3[o] + v3[i] * weight, s4[o] + v4[i] * weight
                    i = i + stride
                end
            end
        end
    end
end

-- The same for a box of five rows with weights 1, 2, 2, 2, 1, in one loop: the usual one at dj = 1/4.
local function sum_five(state, part, row)
    local plan, smoothed, sums = state.plan, state.smoothed, state.sums
    local s1, s2, s3, s4 = sums[1], sums[2], sums[3], sums[4]
    local first, n_counted, rows, first_row = row.first_counted, row.n_counted, part.rows, part.first_row
    local values, index, stride = state.box_values, state.box_index, state.box_stride
    for m = 1, 5 do
        local j = row.j + 3 - m
        if smoothed[j] then
            local other = rows[j - first_row + 1]
            values[m], stride[m] = smoothed[j], other.n_outputs // n_counted
            index[m] = first * stride[m] - other.first_output + 1
        else
            values[m], stride[m], index[m] = state.nothing, 0, 1
        end
    end
    local a, b, c, d, e = values[1], values[2], values[3], values[4], values[5]
    local a1, a2, a3, a4, b1, b2, b3, b4 = a[1], a[2], a[3], a[4], b[1], b[2], b[3], b[4]
    local c1, c2, c3, c4, d1, d2, d3, d4 = c[1], c[2], c[3], c[4], d[1], d[2], d[3], d[4]
    local e1, e2, e3, e4 = e[1], e[2], e[3], e[4]
    local i, j, k, l, m = index[1], index[2], index[3], index[4], index[5]
    local di, dj, dk, dl, dm = stride[1], stride[2], stride[3], stride[4], stride[5]
    for o = 1, #row.weights do
        s1[o], s2[o] = a1[i] + e1[m] + (b1[j] + c1[k] + d1[l] << 1), a2[i] + e2[m] + (b2[j] + c2[k] + d2[l] << 1)
        s3[o], s4[o] = a3[i] + e3[m] + (b3[j] + c3[k] + d3[l]) * 2, a4[i] + e4[m] + (b4[j] + c4[k] + d4[l]) * 2
        i, j, k, l, m = i + di, j + dj, k + dk, l + dl, m + dm
    end
end

-- Sums over the rows of the box, coherence and count, for the outputs of one row.
function fast.count(state, part, row)
    local counts, n_bins, weights = state.counts[row.j + 1], state.n_bins, row.weights
    local sums = state.sums
    local s1, s2, s3, s4 = sums[1], sums[2], sums[3], sums[4]
    local shift_x, shift_y, divisor = row.box_shift_x, row.box_shift_y, row.box_divisor
    local half_bin = n_bins >> 1
    if state.is_five then
        sum_five(state, part, row)
    else
        sum_rows(state, part, row)
    end
    for o = 1, #weights do
        local p, q, c, d = s1[o] >> shift_x, s2[o] >> shift_y, s3[o] // divisor, s4[o] // divisor
        while p > 32767 do
            p, c, d = p >> 2, c // 2, d // 2
        end
        while q > 32767 do
            q, c, d = q >> 2, c // 2, d // 2
        end
        local unit = (p * q + half_bin) // n_bins
        local bin = (c * c + d * d) // (unit > 1 and unit or 1)
        bin = bin < n_bins and bin or n_bins - 1
        local piece, place = counts[(bin >> 11) + 1], (bin >> 1 & 1023) + 1
        piece[place] = piece[place] + (weights[o] << ((bin & 1) << 4))
    end
end

local function release(state, j)
    local smoothed, spare = state.smoothed, state.spare
    if smoothed[j] then
        spare[#spare + 1] = smoothed[j]
        smoothed[j] = nil
    end
end

-- What the step of row j (part.first_row .. ) of the running part does.
local function process(state, part, j)
    local plan, row = state.plan, part.rows[j - part.first_row + 1]
    local transform, integer_fft = state.transform, state.modules.integer_fft
    if row.length > 0 then
        fast.filter(state, part, row)
        integer_fft.transform(transform, state.w1_im, state.w1_re, row.n)
        integer_fft.transform(transform, state.w2_im, state.w2_re, row.n)
        fast.multiply(state, part, row)
        state.smoothed[j] = fast.smooth(state, row)
    end
    local below = #plan.box - 1 - plan.centre
    local i = state.next_counted
    while i >= state.lowest and (i - below > 0 and i - below or 0) >= j do
        local counted = part.rows[i - part.first_row + 1]
        if counted.is_counted then
            fast.count(state, part, counted)
        end
        release(state, i + plan.centre)
        i = i - 1
    end
    state.next_counted = i
end

-- Draws and transforms the series of a part.
local function start_part(state, part)
    for j = 0, state.J do -- what the part before it has left
        release(state, j)
    end
    fast.draw(state, part, state.simulation)
    state.modules.integer_fft.transform(state.transform, state.re, state.im, part.n)
    fast.separate(state, part)
    state.next_counted = part.highest
end

-- How many rows of a part are computed, from the largest scale down to the last that `lowest` needs.
local function rows_needed(plan, part, lowest)
    local last = lowest - (#plan.box - 1 - plan.centre)
    return part.first_row + #part.rows - (last > 0 and last or 0)
end

-- The place of a simulation in its cycle: its six lowest bits in reverse.
local function place_of(simulation)
    local place = 0
    for _ = 1, 6 do
        place = place << 1 | simulation & 1
        simulation = simulation >> 1
    end
    return place
end

-- Starts a simulation, 0 .. 2^31 - 1. The caller then runs scale(state, k) for k = 0 .. last, in turn. Returns last, and
-- the first k at which something is counted.
function fast.begin(state, simulation)
    local plan = state.plan
    local place = place_of(simulation)
    state.simulation, state.lowest = simulation, plan.lowest_of[place + 1]
    state.part = plan.main_of[place + 1]
    local steps = rows_needed(plan, plan.parts[state.part], state.lowest)
    state.rows_left = steps
    state.next_part = #plan.parts + 1 -- none
    for p = #plan.parts, plan.n_main + 1, -1 do
        local part = plan.parts[p]
        part.is_due = place < plan.due[part.lowest + 1]
        if part.is_due then
            steps = steps + rows_needed(plan, part, part.lowest)
            state.next_part = p
        end
    end
    state.at_start = true
    local below = #plan.box - 1 - plan.centre
    return steps - 1, below < plan.J and below or plan.J
end

-- One row of the running part, and the counts that it makes possible.
function fast.scale(state)
    local plan = state.plan
    if state.rows_left == 0 then
        state.part = state.next_part
        repeat
            state.next_part = state.next_part + 1
        until not plan.parts[state.next_part] or plan.parts[state.next_part].is_due
        local part = plan.parts[state.part]
        state.lowest, state.rows_left, state.at_start = part.lowest, rows_needed(plan, part, part.lowest), true
    end
    local part = plan.parts[state.part]
    if state.at_start then
        start_part(state, part)
        state.row, state.at_start = part.first_row + #part.rows - 1, false
    end
    process(state, part, state.row)
    state.row, state.rows_left = state.row - 1, state.rows_left - 1
end

-- Starts a new histogram in the same arrays.
function fast.reset(state)
    for j = 1, state.J + 1 do
        local row = state.counts[j]
        for piece = 1, #row do
            local slots = row[piece]
            for i = 1, #slots do
                slots[i] = 0
            end
        end
    end
    state.n_simulations = 0
end

-- Adds one simulation to state.counts.
function fast.step(state, simulation)
    for k = 0, fast.begin(state, simulation) do
        fast.scale(state, k)
    end
    state.n_simulations = state.n_simulations + 1
end

return fast
