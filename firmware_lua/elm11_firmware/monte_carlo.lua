-- monte_carlo.lua: one simulation after another, counted. The same counts as monte_carlo.py.
--
-- From two surrogate series to the histogram of their squared coherence at every scale (Grinsted et al. 2004,
-- section 3.4), scale by scale: only the rows that the scale box needs are in memory. `new` makes every array; `step`
-- makes none. A host that wants a turn between scales calls `begin` and `scale` itself, as `step` does.
--
-- Modules never load each other: run_program would make a second copy. `load` runs each program once, and a module
-- that needs another gets it as an argument.
local run_program = run_program
local _ENV = nil -- from here a stray global is an error
local monte_carlo = {}

local CHUNK = 1024

-- All modules that a simulation needs, each loaded once.
function monte_carlo.load()
    return {
        normal = run_program("normal.lua"),
        rednoise = run_program("rednoise.lua"),
        fft = run_program("fft.lua"),
        wavelet = run_program("wavelet.lua"),
        smoothing = run_program("smoothing.lua"),
        coherence = run_program("coherence.lua"),
    }
end

-- A histogram for every scale: counts[j + 1] is a list of pieces of CHUNK bins; bin b is in piece (b >> 10) + 1.
local function histograms(J, n_bins)
    local counts = {}
    for j = 0, J do
        local row = {}
        for start = 0, n_bins - 1, CHUNK do
            local piece = {}
            for i = 1, n_bins - start < CHUNK and n_bins - start or CHUNK do
                piece[i] = 0
            end
            row[#row + 1] = piece
        end
        counts[j + 1] = row
    end
    return counts
end

-- Allocates all that the simulations of one experiment need.
-- config: seed_low, seed_high (halves of the seed), surrogates ("ar1" or "white"), lag1_x, lag1_y, wavelet (a name),
-- sigma0 (smallest scale in samples), dj, J, scale_box ("pycwt" or "grinsted"), n_samples, n_bins.
-- modules: from monte_carlo.load, or with replacements that keep their functions.
-- Creates every table of a run: histogram, work arrays, and the ring of smoothing.plan, the largest.
function monte_carlo.new(config, modules)
    local fft, wavelet, smoothing, rednoise = modules.fft, modules.wavelet, modules.smoothing, modules.rednoise
    local J = config.J
    local n = 1
    while n < config.n_samples do
        n = 2 * n
    end
    local transform = fft.plan(n)
    local mother = wavelet.mothers[config.wavelet]
    local box = smoothing.box(config.dj, mother.scale_decorrelation, config.scale_box)
    local is_white = config.surrogates == "white"
    local lag1_x = is_white and 0 or config.lag1_x
    local lag1_y = is_white and 0 or config.lag1_y
    local sigma, first_usable = {}, {}
    for j = 0, J do
        local of_scale = config.sigma0 * 2 ^ (j * config.dj)
        sigma[j + 1] = of_scale
        first_usable[j + 1] = wavelet.first_usable(mother, of_scale)
    end
    return {
        config = config, modules = modules, J = J, n_samples = config.n_samples, n_bins = config.n_bins,
        seed_low = config.seed_low, seed_high = config.seed_high,
        lag1_x = lag1_x, lag1_y = lag1_y,
        burn_in_x = rednoise.burn_in(lag1_x), burn_in_y = rednoise.burn_in(lag1_y),
        sigma = sigma, first_usable = first_usable, mother = mother, centre = box.centre,
        noise = rednoise.plan(modules.normal), transform = transform, filter = wavelet.plan(transform),
        smoother = smoothing.plan(fft, wavelet, transform, box, J),
        spectrum_re = fft.zeros(transform), spectrum_im = fft.zeros(transform),
        w1_re = fft.zeros(transform), w1_im = fft.zeros(transform),
        w2_re = fft.zeros(transform), w2_im = fft.zeros(transform),
        counts = histograms(J, config.n_bins), bins_per_slot = 1, n_simulations = 0,
    }
end

-- Starts a simulation, 0 .. 2^31 - 1: the spectra of both surrogates, from one transform. The caller then runs
-- scale(state, j) for j = 0 .. last, in turn. Returns last, and the first j at which something is counted.
function monte_carlo.begin(state, simulation)
    local fft, rednoise, transform, noise = state.modules.fft, state.modules.rednoise, state.transform, state.noise
    local re, im, n = state.spectrum_re, state.spectrum_im, state.n_samples
    local low, high = state.seed_low, state.seed_high
    rednoise.fill(noise, re, n, state.lag1_x, state.burn_in_x, low, high, simulation, 0)
    rednoise.fill(noise, im, n, state.lag1_y, state.burn_in_y, low, high, simulation, 1)
    fft.forward(transform, re, im)
    fft.separate(transform, re, im)
    return state.J + state.centre, state.centre
end

-- Takes in scale j, j = 0 .. J + centre in turn, and counts scale j - centre, whose box is then complete.
function monte_carlo.scale(state, j)
    local modules, transform, smoother = state.modules, state.transform, state.smoother
    local fft, smoothing, coherence = modules.fft, modules.smoothing, modules.coherence
    local w1_re, w1_im, w2_re, w2_im = state.w1_re, state.w1_im, state.w2_re, state.w2_im
    if j <= state.J then
        local sigma = state.sigma[j + 1]
        modules.wavelet.filter(state.filter, state.mother, sigma, state.spectrum_re, state.spectrum_im,
            w1_re, w1_im, w2_re, w2_im)
        fft.inverse(transform, w1_re, w1_im)
        fft.inverse(transform, w2_re, w2_im)
        coherence.products(state.n_samples, w1_re, w1_im, w2_re, w2_im)
        fft.forward(transform, w1_re, w1_im)
        fft.forward(transform, w2_re, w2_im)
        smoothing.take(smoother, j, sigma, w1_re, w1_im, w2_re, w2_im)
    end
    local i = j - state.centre
    if i >= 0 then
        local first = state.first_usable[i + 1]
        if 2 * first < state.n_samples then
            smoothing.sum(smoother, i, w1_re, w1_im, w2_re, w2_im)
            fft.inverse(transform, w1_re, w1_im)
            fft.inverse(transform, w2_re, w2_im)
            coherence.count(state.n_samples, first, w1_re, w1_im, w2_re, w2_im, state.counts[i + 1], state.n_bins)
        end
    end
end

-- Starts a new histogram in the same arrays.
-- Cost: one write per bin.
function monte_carlo.reset(state)
    for j = 1, state.J + 1 do
        local row = state.counts[j]
        for piece = 1, #row do
            local bins = row[piece]
            for i = 1, #bins do
                bins[i] = 0
            end
        end
    end
    state.n_simulations = 0
end

-- Adds one simulation to state.counts.
-- simulation: 0 .. 2^31 - 1. Cost: one transform for the noise, and six per scale.
function monte_carlo.step(state, simulation)
    for j = 0, monte_carlo.begin(state, simulation) do
        monte_carlo.scale(state, j)
    end
    state.n_simulations = state.n_simulations + 1
end

return monte_carlo
