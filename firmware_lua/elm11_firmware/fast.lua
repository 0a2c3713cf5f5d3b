-- fast.lua: the fast pipeline, simulation by simulation; the same counts as fast.py, which explains the steps.
--
-- While the board watches for the `q` key, every new line and every jump back costs as much as two additions. So the inner
-- loops do several things per line, and two at a time where they can.
--
-- All work is in integers below 2^31 (fast_plan.lua chooses the shifts). Products that may be negative are divided, not
-- shifted: `//` rounds down as NumPy's shift does, while Lua's shift fills in zeros.
--
-- Interface as monte_carlo.lua: load, new, reset, begin, scale, step.
import("table", "move")
import("table", "unpack")
local collectgarbage, move, run_program, unpack = collectgarbage, table.move, run_program, table.unpack
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

local SIXTY_FOUR = {}
for i = 1, 64 do SIXTY_FOUR[i] = 0 end

local function zeros(n)
    -- As many as this at once: of more, Lua's stack would need a large piece of memory.
    local array, filled = {unpack(SIXTY_FOUR, 1, n < 64 and n or 64)}, n < 64 and n or 64
    while filled < n do -- what is there once more, as far as it is wanted
        local more = filled < n - filled and filled or n - filled
        move(array, 1, more, filled + 1)
        filled = filled + more
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

-- How many arrays the smoothed products of m series of either kind are: powers of all, and both parts of each pair.
local function quantities(m)
    return 2 * m * (1 + m)
end

local function larger(x, y)
    return x > y and x or y
end

local function arrays(sizes)
    local made = {}
    for i = 1, #sizes do
        made[i] = zeros(sizes[i])
    end
    return made
end

-- Raises sizes[1 .. count] to `size` at least.
local function raise(sizes, count, size)
    for i = 1, count do
        sizes[i] = larger(sizes[i] or 0, size)
    end
end

-- Arrays that all parts share, each as long as the longest use of it, to `state`.
local function add_work_arrays(state, plan, modules)
    local series, grids, smoothed, points, outputs, n = {}, {}, {}, 4, 1, 4
    for p = 1, #plan.parts do
        local part = plan.parts[p]
        raise(series, part.n_series, part.n)
        n = larger(n, part.n)
        local longest, most = 1, 1
        for r = 1, #part.rows do
            local row = part.rows[r]
            if row.length > 0 then
                raise(grids, row.n_series, row.n)
                points = larger(points, row.n_points + 2 * #row.kernel)
                longest, most = larger(longest, row.length), larger(most, row.n_series)
            end
            if row.is_counted then
                outputs = larger(outputs, #row.weights)
            end
        end
        part.n_quantities = quantities(most)
        raise(smoothed, #plan.box * part.n_quantities, longest)
    end
    state.transform = modules.integer_fft.plan(n, modules.fft_codelets)
    state.re, state.im, state.nyquist = arrays(series), arrays(series), {}
    state.w1_re, state.w1_im, state.w2_re, state.w2_im = arrays(grids), arrays(grids), arrays(grids), arrays(grids)
    state.products = arrays({points, points, points, points})
    state.store = arrays(smoothed)
    local sums = {}
    raise(sums, larger(4, 2 * #series + 4), outputs) -- powers of all series, and two products
    state.sums = arrays(sums)
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
-- Cost: docs/cost.md, "set-up". Creates all tables of a run.
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
    local state = {
        config = config, modules = modules, plan = plan, J = J, n_bins = config.n_bins, bins_per_slot = 2,
        seed_low = config.seed_low, seed_high = config.seed_high, deviates = deviates, words = zeros(BLOCK_LENGTH),
        smoothed = {}, is_five = is_five(plan.box), nothing = {0},
        counts = histograms(J, config.n_bins), n_simulations = 0,
    }
    add_work_arrays(state, plan, modules)
    return state
end

-- The innovations of a part's `number`-th series of both kinds, at their places for the transform, to re and im,
-- index 1 .. part.n. simulation: 0 .. 2^31 - 1.
-- Cost: a word, two sums and, of red noise, four multiplications and divisions for each sample. Creates no table.
function fast.draw(state, part, simulation, number)
    local re, im, deviates = state.re[number], state.im[number], state.deviates
    local places = state.transform.places[part.n]
    local rednoise, words = state.modules.rednoise, state.words
    local n_samples, n = part.n_samples, part.n
    local lag_x, lag_y = part.lag1[1], part.lag1[2]
    local is_red = lag_x ~= 0 or lag_y ~= 0
    local series = SERIES + (part.number << 16) + (number - 1)
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

-- For the transform of x + i y: 2 X(f), times the noise's response, to the place of frequency f, 2 Y(f) to that of -f, for
-- the frequencies that the part's filters use. Both are real at n / 2: re keeps X there, and state.nyquist Y.
-- number: of the series, index 1 .. part.n_series. Cost: four sums for each frequency, and of red noise eight
-- multiplications and four divisions. Creates no table.
function fast.separate(state, part, number)
    local re, im, n = state.re[number], state.im[number], part.n
    local lowest, highest = part.lowest_frequency, part.highest_frequency
    local noise_x, noise_y = part.noise[1], part.noise[2]
    if highest == n // 2 then
        local i, at = highest + 1, highest - lowest + 1
        local x, y = 2 * re[i], 2 * im[i]
        if noise_x then
            x, y = x * ((noise_x[at] >> 12) - 2048) // 2048, y * ((noise_y[at] >> 12) - 2048) // 2048
        end
        re[i], im[i], state.nyquist[number] = x, 0, y
        highest = highest - 1
    end
    local j = n + 1 - lowest
    if not noise_x then
        for i = lowest + 1, highest + 1 do
            local r, s, u, v = re[i], im[i], re[j], im[j]
            re[i], im[i], re[j], im[j], j = r + u, s - v, s + v, u - r, j - 1
        end
        return
    end
    local at = 1
    for i = lowest + 1, highest + 1 do
        local r, s, u, v, a, c = re[i], im[i], re[j], im[j], noise_x[at], noise_y[at]
        local b, d = (a & 4095) - 2048, (c & 4095) - 2048
        r, s, u, v, a, c = r + u, s - v, s + v, u - r, (a >> 12) - 2048, (c >> 12) - 2048
        re[i], im[i], at = (r * a - s * b) // 2048, (r * b + s * a) // 2048, at + 1
        re[j], im[j], j = (u * c - v * d) // 2048, (u * d + v * c) // 2048, j - 1
    end
end

-- Both spectra of a series of either kind times the row's filter, folded onto its grid in bit-reversed order.
-- part, row: of the plan. number: of the series, index 1 .. row.n_series.
-- Cost: four multiplications and divisions for each frequency. Creates no table.
function fast.filter(state, part, row, number)
    local re, im, n = state.re[number], state.im[number], row.n
    local w1_re, w1_im, w2_re, w2_im = state.w1_re[number], state.w1_im[number], state.w2_re[number], state.w2_im[number]
    local places, filter = state.transform.places[n], row.filter
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
            local weight, place = filter[at], places[f]
            w1_re[place], w1_im[place], i = re[i] * weight // divisor_x, im[i] * weight // divisor_x, i + 1
            w2_re[place], w2_im[place], j = re[j] * weight // divisor_y, im[j] * weight // divisor_y, j - 1
        end
        k = stop + 1
        if f == n then
            f = 0
        end
    end
    if has_nyquist then
        f = f + 1
        local weight, place = filter[count], places[f]
        w1_re[place], w1_im[place] = re[i] * weight // divisor_x, 0
        w2_re[place], w2_im[place] = state.nyquist[number] * weight // divisor_y, 0
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

-- Transforms of series `number` at grid point i (index), between their clamps; kept so for the products of its pairs.
local function put_between_clamps(state, row, number, i)
    local w1_re, w1_im, w2_re, w2_im = state.w1_re[number], state.w1_im[number], state.w2_re[number], state.w2_im[number]
    w1_re[i], w1_im[i] = clamped(w1_re[i], row.clamp_x), clamped(w1_im[i], row.clamp_x)
    w2_re[i], w2_im[i] = clamped(w2_re[i], row.clamp_y), clamped(w2_im[i], row.clamp_y)
    return w1_re[i], w1_im[i], w2_re[i], w2_im[i]
end

-- The powers of series `number` of either kind, at the row's grid points, to state.products[at] and the next.
local function multiply_powers(state, row, number, at)
    local w1_re, w1_im, w2_re, w2_im = state.w1_re[number], state.w1_im[number], state.w2_re[number], state.w2_im[number]
    local p1, p2 = state.products[at], state.products[at + 1]
    local n, j, left = row.n, #row.kernel + 1, row.n_points
    local x, y, shift_x, shift_y = row.clamp_x, row.clamp_y, row.power_shift_x, row.power_shift_y
    local outside_x, outside_y, half_x, half_y = -2 * x, -2 * y, 1 << shift_x >> 1, 1 << shift_y >> 1
    local i = row.first_point % n + 1
    while left > 0 do -- up to the period's end, then from its beginning
        local count = left < n + 1 - i and left or n + 1 - i
        local k = j - i
        for i = i, i + count - 1 do
            local r, s, u, v = w1_re[i], w1_im[i], w2_re[i], w2_im[i] if (r + x | s + x) & outside_x | (u + y | v + y) & outside_y ~= 0 then
                r, s, u, v = put_between_clamps(state, row, number, i)
            end
            p1[i + k], p2[i + k] = r * r + s * s + half_x >> shift_x, u * u + v * v + half_y >> shift_y
        end
        i, j, left = 1, j + count, left - count
    end
end

-- Both parts of the product of the first pair, between their clamps.
local function multiply_one(state, row)
    local w1_re, w1_im, w2_re, w2_im = state.w1_re[1], state.w1_im[1], state.w2_re[1], state.w2_im[1]
    local re, im = state.products[3], state.products[4]
    local n, guard, i, divisor = row.n, #row.kernel, row.first_point % row.n, row.power_divisor
    local half = divisor >> 1
    for j = guard + 1, guard + row.n_points do
        i = i < n and i + 1 or 1
        local r, s, u, v = w1_re[i], w1_im[i], w2_re[i], w2_im[i]
        re[j], im[j] = (r * u + s * v + half) // divisor, (s * u - r * v + half) // divisor
    end
end

-- The products of series `first` of the first kind with series `second` and the next of the second kind.
local function multiply_pairs(state, row, first, second)
    local w_re, w_im, next = state.w1_re[first], state.w1_im[first], second + 1
    local u_re, u_im, v_re, v_im = state.w2_re[second], state.w2_im[second], state.w2_re[next], state.w2_im[next]
    local p1, p2, p3, p4 = state.products[1], state.products[2], state.products[3], state.products[4]
    local n, j, left, e = row.n, #row.kernel + 1, row.n_points, row.power_divisor
    local h, i = e >> 1, row.first_point % row.n + 1
    while left > 0 do -- up to the period's end, then from its beginning
        local count = left < n + 1 - i and left or n + 1 - i
        local k = j - i
        for i = i, i + count - 1 do
            local j, r, s, u, v, x, y = i + k, w_re[i], w_im[i], u_re[i], u_im[i], v_re[i], v_im[i]
            p1[j], p2[j], p3[j], p4[j] = (r * u + s * v + h) // e, (s * u - r * v + h) // e, (r * x + s * y + h) // e, (s * x - r * y + h) // e
        end
        i, j, left = 1, j + count, left - count
    end
end

-- Weights at the ends of the series; beyond them zeros for the kernel, or what is there once around the period.
local function finish_ends(state, part, row)
    local products = state.products
    local p1, p2, p3, p4 = products[1], products[2], products[3], products[4]
    local n, guard, count = row.n, #row.kernel, row.n_points
    for i = 1, guard do
        local j = guard + count + i
        p1[i], p2[i], p3[i], p4[i], p1[j], p2[j], p3[j], p4[j] = 0, 0, 0, 0, 0, 0, 0, 0
    end
    local weight = row.first_weight
    for j = guard + 1, guard + count, count - 1 do -- the first and the last
        p1[j], p2[j] = (p1[j] * weight + 128) // 256, (p2[j] * weight + 128) // 256
        p3[j], p4[j], weight = (p3[j] * weight + 128) // 256, (p4[j] * weight + 128) // 256, row.last_weight
    end
    if part.wraps then -- beyond the ends is, once around the period, the other end
        for distance = 1, guard do
            if n - distance < count then
                local j, from = guard + 1 - distance, guard + 1 + n - distance
                p1[j], p2[j], p3[j], p4[j] = p1[from], p2[from], p3[from], p4[from]
            end
            if count + distance > n then
                local j, from = guard + count + distance, guard + count + distance - n
                p1[j], p2[j], p3[j], p4[j] = p1[from], p2[from], p3[from], p4[from]
            end
        end
    end
end

-- Outputs `from`, from + stride, ... of a row: sums around grid points centre, centre + step, ... d1 .. d4: divisors.
local function smooth_whole(codelets, products, row, o1, o2, o3, o4, d1, d2, d3, d4, from, stride, centre, step)
    local p1, p2, p3, p4 = products[1], products[2], products[3], products[4]
    local kernel = row.kernel
    local reach, first = #kernel - 1, kernel[1]
    local codelet = codelets[reach]
    if codelet then
        return codelet(p1, p2, p3, p4, kernel, o1, o2, o3, o4, d1, d2, d3, d4, from, row.length, stride, centre, step)
    end
    for o = from, row.length, stride do
        local a, b, c, d = p1[centre] * first, p2[centre] * first, p3[centre] * first, p4[centre] * first
        local low, high, weight = centre, centre, 0
        for m = 2, reach + 1 do
            low, high, weight = low - 1, high + 1, kernel[m]
            a, b = a + (p1[low] + p1[high]) * weight, b + (p2[low] + p2[high]) * weight
            c, d = c + (p3[low] + p3[high]) * weight, d + (p4[low] + p4[high]) * weight
        end
        o1[o], o2[o], o3[o], o4[o] = a // d1, b // d2, c // d3, d // d4
        centre = centre + step
    end
end

-- Outputs between grid points: half a step after `centre`, centre + 1, ...
local function smooth_half(products, row, o1, o2, o3, o4, d1, d2, d3, d4, from, stride, centre)
    local p1, p2, p3, p4 = products[1], products[2], products[3], products[4]
    local kernel = row.half_kernel
    local reach = #kernel
    for o = from, row.length, stride do
        local a, b, c, d = 0, 0, 0, 0
        local low, high, weight = centre + 1, centre, 0
        for m = 1, reach do
            low, high, weight = low - 1, high + 1, kernel[m]
            a, b = a + (p1[low] + p1[high]) * weight, b + (p2[low] + p2[high]) * weight
            c, d = c + (p3[low] + p3[high]) * weight, d + (p4[low] + p4[high]) * weight
        end
        o1[o], o2[o], o3[o], o4[o] = a // d1, b // d2, c // d3, d // d4
        centre = centre + 1
    end
end

-- state.products, smoothed in time at the row's outputs, to four arrays.
local function smooth_four(state, part, row, o1, o2, o3, o4, d1, d2, d3, d4)
    finish_ends(state, part, row)
    local products, guard, first = state.products, #row.kernel, row.first_output
    local codelets = state.modules.fft_codelets.smooth
    if row.n_outputs > row.n then -- outputs on grid points and between them
        local odd = first % 2
        smooth_whole(codelets, products, row, o1, o2, o3, o4, d1, d2, d3, d4, 1 + odd, 2,
            (first + odd) // 2 - row.first_point + guard + 1, 1)
        smooth_half(products, row, o1, o2, o3, o4, d1, d2, d3, d4, 2 - odd, 2,
            (first + 1 - odd) // 2 - row.first_point + guard + 1)
    else
        local step = row.n // row.n_outputs
        smooth_whole(codelets, products, row, o1, o2, o3, o4, d1, d2, d3, d4, 1, 1, first * step - row.first_point + guard + 1,
            step)
    end
end

-- Products of the row's transforms, smoothed at its outputs, to arrays out[at + 1], ...: |W1|^2 and |W2|^2 of the first
-- series of either kind, of the second ones, ...; then real and imaginary part of W1 W2*, for every series of the first
-- kind with all of the second. Each has index 1 .. row.length.
-- Cost: for each pair four multiplications at every grid point, and two for each weight of the kernel at every output.
function fast.smooth(state, part, row, out, at)
    local x, y, cross, m = row.sum_divisor_x, row.sum_divisor_y, row.sum_divisor, row.n_series
    if m == 1 then
        multiply_powers(state, row, 1, 1)
        multiply_one(state, row)
        return smooth_four(state, part, row, out[at + 1], out[at + 2], out[at + 3], out[at + 4], x, y, cross, cross)
    end
    for number = 1, m, 2 do
        multiply_powers(state, row, number, 1)
        multiply_powers(state, row, number + 1, 3)
        smooth_four(state, part, row, out[at + 1], out[at + 2], out[at + 3], out[at + 4], x, y, x, y)
        at = at + 4
    end
    for first = 1, m do
        for second = 1, m, 2 do
            multiply_pairs(state, row, first, second)
            smooth_four(state, part, row, out[at + 1], out[at + 2], out[at + 3], out[at + 4], cross, cross, cross, cross)
            at = at + 4
        end
    end
end

-- Where two neighbouring quantities of a row with m series begin in its arrays: powers of series `first`, or products
-- with series `second` of the second kind.
local function place_of(m, first, second)
    if second == 0 then
        return 2 * first - 1
    end
    return 2 * m + 2 * ((first - 1) * m + second) - 1
end

-- The arrays of row j, two from each of two places (`place_of`), and first index and stride of the counted row's outputs in
-- them. Rows beyond the first and last scale are zeros.
local function of_row(state, part, row, j, a, b, c, d)
    local at, nothing = state.smoothed[j], state.nothing
    if not at then
        return nothing, nothing, nothing, nothing, 1, 0
    end
    local other, store = part.rows[j - part.first_row + 1], state.store
    local stride = other.n_outputs // row.n_counted
    local one, two = at + place_of(other.n_series, a, b), at + place_of(other.n_series, c, d)
    return store[one], store[one + 1], store[two], store[two + 1],
        row.first_counted * stride - other.first_output + 1, stride
end

-- Sums over the box's rows, at the outputs of `row`, of four quantities, to s1 .. s4. The rows between the outer two have one
-- weight, and are added in fours. (Sums that run on from scale to scale are no less work for five rows, and rows have outputs of
-- their own.)
local function sum_rows(state, part, row, s1, s2, s3, s4, a, b, c, d)
    local box, length, j = state.plan.box, #row.weights, row.j + state.plan.centre
    local weight = box[1]
    local a1, a2, a3, a4, i, di = of_row(state, part, row, j, a, b, c, d)
    local b1, b2, b3, b4, k, dk = of_row(state, part, row, #box > 1 and j - #box + 1 or -1, a, b, c, d)
    for o = 1, length do
        s1[o], s2[o], s3[o], s4[o], i, k = (a1[i] + b1[k]) * weight, (a2[i] + b2[k]) * weight, (a3[i] + b3[k]) * weight, (a4[i] + b4[k]) * weight, i + di, k + dk
    end
    weight = box[2]
    local left = #box - 2
    while left >= 4 do
        local a1, a2, a3, a4, i, di = of_row(state, part, row, j - 1, a, b, c, d)
        local b1, b2, b3, b4, k, dk = of_row(state, part, row, j - 2, a, b, c, d)
        local c1, c2, c3, c4, l, dl = of_row(state, part, row, j - 3, a, b, c, d)
        local d1, d2, d3, d4, m, dm = of_row(state, part, row, j - 4, a, b, c, d)
        for o = 1, length do
            s1[o], s2[o], s3[o] = s1[o] + (a1[i] + b1[k] + c1[l] + d1[m]) * weight, s2[o] + (a2[i] + b2[k] + c2[l] + d2[m]) * weight, s3[o] + (a3[i] + b3[k] + c3[l] + d3[m]) * weight
            s4[o], i, k, l, m = s4[o] + (a4[i] + b4[k] + c4[l] + d4[m]) * weight, i + di, k + dk, l + dl, m + dm
        end
        j, left = j - 4, left - 4
    end
    while left > 0 do
        local a1, a2, a3, a4, i, di = of_row(state, part, row, j - 1, a, b, c, d)
        for o = 1, length do
            s1[o], s2[o], s3[o], s4[o], i = s1[o] + a1[i] * weight, s2[o] + a2[i] * weight, s3[o] + a3[i] * weight, s4[o] + a4[i] * weight, i + di
        end
        j, left = j - 1, left - 1
    end
end

-- The same for a box of five rows with weights 1, 2, 2, 2, 1, in one loop: the usual one at dj = 1/4.
local function sum_five(state, part, row, s1, s2, s3, s4, a, b, c, d)
    local j = row.j
    local a1, a2, a3, a4, i, di = of_row(state, part, row, j + 2, a, b, c, d)
    local b1, b2, b3, b4, k, dk = of_row(state, part, row, j + 1, a, b, c, d)
    local c1, c2, c3, c4, l, dl = of_row(state, part, row, j, a, b, c, d)
    local d1, d2, d3, d4, m, dm = of_row(state, part, row, j - 1, a, b, c, d)
    local e1, e2, e3, e4, n, dn = of_row(state, part, row, j - 2, a, b, c, d)
    for o = 1, #row.weights do
        s1[o], s2[o], s3[o] = a1[i] + e1[n] + (b1[k] + c1[l] + d1[m]) * 2, a2[i] + e2[n] + (b2[k] + c2[l] + d2[m]) * 2, a3[i] + e3[n] + (b3[k] + c3[l] + d3[m]) * 2
        s4[o], i, k, l, m, n = a4[i] + e4[n] + (b4[k] + c4[l] + d4[m]) * 2, i + di, k + dk, l + dl, m + dm, n + dn
    end
end

-- Powers of both kinds in the unit in which they are divided.
local function shift_powers(row, s1, s2)
    local shift_x, shift_y = row.box_shift_x, row.box_shift_y
    local half_x, half_y = 1 << shift_x >> 1, 1 << shift_y >> 1
    for o = 1, #row.weights do
        s1[o], s2[o] = s1[o] + half_x >> shift_x, s2[o] + half_y >> shift_y
    end
end

-- Coherence of one pair, from sums over the box, to the histogram.
local function count_pair(state, row, powers_x, powers_y, products_re, products_im)
    local counts, n_bins, weights = state.counts[row.j + 1], state.n_bins, row.weights
    local divisor, half_bin = row.box_divisor, n_bins >> 1
    for o = 1, #weights do
        local p, q, c, d = powers_x[o], powers_y[o], products_re[o] // divisor, products_im[o] // divisor if p | q > 32767 then
            while p > 32767 do
                p, c, d = p >> 2, c // 2, d // 2
            end
            while q > 32767 do
                q, c, d = q >> 2, c // 2, d // 2
            end
        end
        local unit = (p * q + half_bin) // n_bins local bin = (c * c + d * d) // (unit > 1 and unit or 1) bin = bin < n_bins and bin or n_bins - 1
        local piece, place = counts[(bin >> 11) + 1], (bin >> 1 & 1023) + 1 piece[place] = piece[place] + (weights[o] << ((bin & 1) << 4))
    end
end

-- Sums over the rows of the box, coherence and count, for the outputs of one row of a part and all its pairs.
-- Cost: at every output the box's sums, and for each pair three multiplications and five divisions. Creates no table.
function fast.count(state, part, row)
    local sum, sums, m = state.is_five and sum_five or sum_rows, state.sums, row.n_paired
    local s1, s2, s3, s4 = sums[1], sums[2], sums[3], sums[4]
    if m == 1 then
        sum(state, part, row, s1, s2, s3, s4, 1, 0, 1, 1)
        shift_powers(row, s1, s2)
        return count_pair(state, row, s1, s2, s3, s4)
    end
    for number = 1, m, 2 do
        local p1, p2, p3, p4 = sums[2 * number + 3], sums[2 * number + 4], sums[2 * number + 5], sums[2 * number + 6]
        sum(state, part, row, p1, p2, p3, p4, number, 0, number + 1, 0)
        shift_powers(row, p1, p2)
        shift_powers(row, p3, p4)
    end
    for first = 1, m do
        local p = sums[2 * first + 3]
        for second = 1, m, 2 do
            sum(state, part, row, s1, s2, s3, s4, first, second, first, second + 1)
            count_pair(state, row, p, sums[2 * second + 4], s1, s2)
            count_pair(state, row, p, sums[2 * second + 6], s3, s4)
        end
    end
end

-- What the step of row j (part.first_row .. ) of the running part does.
local function process(state, part, j)
    local plan, row, smoothed = state.plan, part.rows[j - part.first_row + 1], state.smoothed
    local transform, integer_fft = state.transform, state.modules.integer_fft
    if row.length > 0 then
        for number = 1, row.n_series do
            fast.filter(state, part, row, number)
            integer_fft.transform(transform, state.w1_im[number], state.w1_re[number], row.n)
            integer_fft.transform(transform, state.w2_im[number], state.w2_re[number], row.n)
        end
        -- No more rows are kept than the box has: their numbers, modulo that, tell where.
        smoothed[j] = j % #plan.box * part.n_quantities
        fast.smooth(state, part, row, state.store, smoothed[j])
    end
    local below = #plan.box - 1 - plan.centre
    local i = state.next_counted
    while i >= state.lowest and (i - below > 0 and i - below or 0) >= j do
        local counted = part.rows[i - part.first_row + 1]
        if counted.is_counted then
            fast.count(state, part, counted)
        end
        smoothed[i + plan.centre] = nil
        i = i - 1
    end
    state.next_counted = i
end

-- Draws and transforms the series of a part.
local function start_part(state, part)
    for j = 0, state.J do -- what the part before it has left
        state.smoothed[j] = nil
    end
    for number = 1, part.n_series do
        fast.draw(state, part, state.simulation, number)
        state.modules.integer_fft.transform(state.transform, state.re[number], state.im[number], part.n)
        fast.separate(state, part, number)
    end
    state.next_counted = part.highest
end

-- How many rows of a part are computed, from the largest scale down to the last that `lowest` needs.
local function rows_needed(plan, part, lowest)
    local last = lowest - (#plan.box - 1 - plan.centre)
    return part.first_row + #part.rows - (last > 0 and last or 0)
end

-- The main part (index) that runs at a place of the cycle and the lowest scale that it counts; nothing where none does.
local function main_at(plan, place)
    if plan.n_main == 0 or place >= plan.due[plan.J + 1] then
        return nil, nil
    end
    local lowest, main = plan.lowest_main, 1
    while plan.due[lowest + 1] <= place do lowest = lowest + 1 end
    while plan.parts[main].lowest > lowest do main = main + 1 end
    return main, lowest
end

-- Starts a simulation, 0 .. 2^31 - 1. The caller then runs scale(state, k) for k = 0 .. last, in turn. Returns last, -1
-- if nothing is due in this simulation, and the first k at which something is counted.
-- Cost: a look at every scale and every part. Creates no table.
function fast.begin(state, simulation)
    local plan = state.plan
    local place = (simulation & 255) * 145 & 255 -- in the cycle of fast_plan.lua
    local main, lowest = main_at(plan, place) -- none: only short parts are due, if anything
    local steps = 0
    state.simulation, state.part, state.lowest = simulation, main, lowest
    if main then
        steps = rows_needed(plan, plan.parts[main], lowest)
    end
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

-- Starts a new histogram in the same arrays. Cost: one write for every two bins. Creates no table.
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

-- Adds one simulation, 0 .. 2^31 - 1, to state.counts. Cost: docs/cost.md, "one simulation". Creates no table.
function fast.step(state, simulation)
    for k = 0, fast.begin(state, simulation) do
        fast.scale(state, k)
    end
    state.n_simulations = state.n_simulations + 1
end

return fast
