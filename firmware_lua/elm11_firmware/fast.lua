-- fast.lua: the fast pipeline, simulation by simulation; the same counts as fast.py, which explains the steps.
--
-- The steps: fast_series.lua draws noise and filters its spectrum, fast_smoothing.lua multiplies and smooths in time,
-- fast_coherence.lua smooths over scales and counts.
--
-- While the board watches for the `q` key, every new line and every jump back costs as much as two additions. So their
-- inner loops do several things per line, and two at a time where they can.
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

-- All modules that a simulation needs, each loaded once.
function fast.load()
    return {
        fast = fast,
        rednoise = run_program("rednoise.lua"),
        wavelet = run_program("wavelet.lua"),
        smoothing = run_program("smoothing.lua"),
        fft_codelets = run_program("fft_codelets.lua"),
        integer_fft = run_program("integer_fft.lua"),
        fast_series = run_program("fast_series.lua"),
        fast_smoothing = run_program("fast_smoothing.lua"),
        fast_coherence = run_program("fast_coherence.lua"),
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
    local series, grids, smoothed, points, outputs, paired, n = {}, {}, {}, 4, 1, 1, 4
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
                outputs, paired = larger(outputs, #row.weights), larger(paired, row.n_paired)
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
    local sums, totals = {}, {}
    raise(sums, larger(4, 2 * #series + 4), outputs) -- powers of all series, and two products
    state.sums = arrays(sums)
    if not state.is_five then
        raise(totals, quantities(paired), outputs) -- sums over the rows between a box's outer two
    end
    state.totals = arrays(totals)
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
        seed_low = config.seed_low, seed_high = config.seed_high, deviates = deviates, words = zeros(modules.fast_series.BLOCK_LENGTH),
        smoothed = {}, is_five = modules.fast_coherence.is_five(plan.box), nothing = {0},
        counts = histograms(J, config.n_bins), n_simulations = 0,
    }
    add_work_arrays(state, plan, modules)
    return state
end

-- What the step of row j (part.first_row .. ) of the running part does.
local function process(state, part, j)
    local plan, row, smoothed = state.plan, part.rows[j - part.first_row + 1], state.smoothed
    local transform, modules = state.transform, state.modules
    local integer_fft, fast_series = modules.integer_fft, modules.fast_series
    if row.length > 0 then
        for number = 1, row.n_series do
            fast_series.filter(state, part, row, number)
            integer_fft.transform(transform, state.w1_im[number], state.w1_re[number], row.n)
            integer_fft.transform(transform, state.w2_im[number], state.w2_re[number], row.n)
        end
        -- No more rows are kept than the box has: their numbers, modulo that, tell where.
        smoothed[j] = j % #plan.box * part.n_quantities
        modules.fast_smoothing.smooth(state, part, row, state.store, smoothed[j])
    end
    local below = #plan.box - 1 - plan.centre
    local i = state.next_counted
    while i >= state.lowest and (i - below > 0 and i - below or 0) >= j do
        local counted = part.rows[i - part.first_row + 1]
        if counted.is_counted then
            modules.fast_coherence.count(state, part, counted)
        else
            state.above = nil
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
    local fast_series, integer_fft = state.modules.fast_series, state.modules.integer_fft
    for number = 1, part.n_series do
        fast_series.draw(state, part, state.simulation, number)
        integer_fft.transform(state.transform, state.re[number], state.im[number], part.n)
        fast_series.separate(state, part, number)
    end
    state.next_counted, state.above = part.highest, nil
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
