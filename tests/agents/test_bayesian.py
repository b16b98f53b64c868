import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import bayesian
from agents.catalogue import build_agent
from agents.history import History
from agents.knowledge import Knowledge
from agents.learning import believe
from agents.outcomes import OutcomeScale, scale_of
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import Categorical, Continuous, Space
from models.surrogates.evidence import loss
from models.surrogates.gaussian import GaussianProcess, fit
from models.surrogates.training import FitError, Training

PLANE = Space((Continuous("x", 0, 10), Continuous("y", -1, 1)))


def training(count=30, columns=3, groups=None, known=0.01):
    generator = np.random.default_rng(5)
    inputs = generator.random((count, columns))
    outcomes = np.sin(4 * inputs[:, 0]) + inputs[:, 1] + 0.1 * generator.standard_normal(count)
    outcomes = (outcomes - outcomes.mean()) / outcomes.std(ddof=1)
    which = np.arange(columns) if groups is None else np.array(groups)
    return Training(inputs, outcomes, np.full(count, known), which)


def campaign(goal, function, experiments, target=None, sigma=0.0):
    objective = Objective("z", goal, "mm", target)
    agent = build_agent("bayesian", {"samples": 64, "restarts": 2}, PLANE, (objective,), 4)
    best = -math.inf
    for number in range(experiments):
        [suggestion] = agent.ask(1)
        value = function(**suggestion.parameters)
        best = max(best, objective.score(value))
        observation = Observation(str(number), suggestion.parameters, {"z": Measured(value, sigma)})
        agent.tell([observation])
    return agent, suggestion, best


def hill(x, y):
    return 5.0 - 0.2 * (x - 3) ** 2 - (y - 0.4) ** 2


@pytest.mark.parametrize("groups", [None, [0, 1, 1]])
def test_the_gradient_of_the_fit_is_the_slope_of_its_loss(groups):
    data = training(groups=groups)
    place = np.log(np.array([0.5, 0.8, 2.0, 0.03])[[*range(data.scales), -1]])
    steps = 1e-6 * np.eye(len(place))

    slopes = [(loss(place + s, data)[0] - loss(place - s, data)[0]) / 2e-6 for s in steps]

    assert loss(place, data)[1] == pytest.approx(slopes, abs=1e-6)


def test_the_fit_and_its_posterior_are_those_of_gpytorch():
    import torch
    from botorch.models import SingleTaskGP
    from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
    from gpytorch.constraints import GreaterThan
    from gpytorch.likelihoods import GaussianLikelihood
    from gpytorch.mlls import ExactMarginalLogLikelihood
    from gpytorch.priors import GammaPrior

    data = training(known=0.0)
    ours = GaussianProcess(data, np.array([0.5, 0.8, 2.0]), 0.03)
    theirs = SingleTaskGP(
        torch.as_tensor(data.inputs),
        torch.as_tensor(data.outcomes)[:, None],
        likelihood=GaussianLikelihood(GammaPrior(1.1, 30.0), noise_constraint=GreaterThan(1e-7)),
        covar_module=get_covar_module_with_dim_scaled_prior(3, use_rbf_kernel=False),
        outcome_transform=None,
    )
    theirs.covar_module.lengthscale = torch.as_tensor(ours.lengths)
    theirs.likelihood.noise = ours.noise
    theirs.mean_module.initialize(constant=torch.tensor(ours.mean, dtype=torch.float64))
    evidence = ExactMarginalLogLikelihood(theirs.likelihood, theirs.train())
    points = np.random.default_rng(1).random((7, 3))

    found = -evidence(theirs(*theirs.train_inputs), theirs.train_targets).item() * 30
    posterior = theirs.eval().posterior(torch.as_tensor(points))

    assert loss(np.log([*ours.lengths, ours.noise]), data)[0] == pytest.approx(found, rel=1e-7)
    mean, sigma = ours.moments(points)
    assert mean == pytest.approx(posterior.mean[:, 0].detach().numpy(), rel=1e-6)
    assert sigma == pytest.approx(posterior.variance[:, 0].sqrt().detach().numpy(), rel=1e-6)


def test_a_fit_is_no_worse_than_any_hyperparameters_tried_beside_it():
    data = training()
    fitted = fit(data)
    best = loss(np.log([*fitted.lengths, fitted.noise]), data)[0]
    generator = np.random.default_rng(0)

    tried = [loss(generator.uniform([-3, -3, -3, -8], [5, 5, 5, 1]), data)[0] for _ in range(300)]

    assert best < min(tried)


def test_imagining_what_is_expected_narrows_the_posterior_and_leaves_its_mean():
    fitted = fit(training())
    points = np.random.default_rng(2).random((5, 3))
    mean, sigma = fitted.moments(points)

    imagined = fitted.imagining(points[:1], mean[:1])

    assert imagined.moments(points)[0] == pytest.approx(mean, abs=1e-6)
    assert np.all(imagined.moments(points)[1] < sigma)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_outcomes_come_back_from_the_scale_they_are_modelled_on(values):
    outcomes = np.array(values)

    scale = scale_of(outcomes, warp=True)

    there = scale.forward(outcomes)
    assert np.all(np.isfinite(there))
    assert scale.back(there) == pytest.approx(outcomes, rel=1e-6, abs=1e-6 * scale.spread)
    assert np.all(np.diff(scale.forward(np.sort(outcomes))) >= -1e-12)


def test_moments_of_a_warped_normal_are_those_of_its_samples():
    scale = OutcomeScale(2.0, 3.0, 0.3, -0.2, 0.8)
    samples = scale.back(0.5 + 0.4 * np.random.default_rng(0).standard_normal(400_000))

    mean, sigma = scale.moments(0.5, 0.4)

    assert mean == pytest.approx(samples.mean(), rel=5e-3)
    assert sigma == pytest.approx(samples.std(), rel=5e-3)


def test_a_skewed_outcome_is_straightened_and_an_even_one_left_alone():
    generator = np.random.default_rng(0)

    assert scale_of(generator.lognormal(0, 1, 60), warp=True).exponent < 0.3
    assert scale_of(generator.lognormal(0, 1, 60), warp=False).exponent == 1.0
    assert scale_of(np.full(9, 3.3), warp=True) == OutcomeScale(pytest.approx(3.3), 1.0)


@pytest.mark.parametrize(
    ("goal", "target", "good"),
    [(Goal.MAXIMIZE, None, 4.98), (Goal.MINIMIZE, None, 6.6), (Goal.TARGET, 2.0, -0.02)],
)
def test_each_kind_of_goal_is_reached(goal, target, good):
    _, suggestion, best = campaign(goal, hill, 14, target)

    assert best >= good
    assert suggestion.model == bayesian.SEARCHED
    assert 3 <= 1 + len(suggestion.alternatives) <= 5


def test_predictions_are_in_the_unit_of_the_objective_and_part_the_two_sigmas():
    noise = np.random.default_rng(1)

    agent, suggestion, _ = campaign(
        Goal.MAXIMIZE,
        lambda x, y: 1000 + 50 * hill(x, y) + 5 * noise.standard_normal(),
        16,
        None,
        5.0,
    )

    expected = suggestion.predictions["z"]
    assert expected.mean == pytest.approx(1250, abs=60)
    assert 0 < expected.epistemic < 60
    assert 4 < expected.aleatoric < 25
    assert suggestion.fit["z.lengthscale.x"] > 0
    assert "mm" in agent.explain(suggestion)


def test_a_stated_sigma_is_known_noise_and_an_unstated_one_is_learned():
    generator = np.random.default_rng(3)
    points = PLANE.sample(30, 1)
    values = [hill(**p) + 0.5 * generator.standard_normal() for p in points]
    learned = []
    for sigma in (0.0, 0.5):
        history = History(PLANE)
        history.tell(
            Observation(str(i), p, {"z": Measured(v, sigma)})
            for i, (p, v) in enumerate(zip(points, values, strict=True))
        )
        learned.append(believe(history, Objective("z", Goal.MAXIMIZE), warp=False))

    unstated, stated = learned

    assert stated.surrogate.noise < unstated.surrogate.noise
    assert unstated.predictions(points)[0].aleatoric == pytest.approx(0.5, rel=0.6)
    assert stated.predictions(points)[0].aleatoric >= 0.5


def test_a_value_of_endless_sigma_teaches_nothing():
    generator = np.random.default_rng(2)
    history = History(PLANE)
    for number, (x, y) in enumerate(generator.random((20, 2)) * [10, 2] - [0, 1]):
        history.tell(
            [Observation(str(number), {"x": x, "y": y}, {"z": Measured(hill(x, y), 0.01)})]
        )
    place = {"x": 3.0, "y": 0.4}
    history.tell([Observation("astray", place, {"z": Measured(-10.0, math.inf)})])

    belief = believe(history, Objective("z", Goal.MAXIMIZE), warp=False)

    assert belief.predictions([place])[0].mean == pytest.approx(hill(**place), abs=0.2)


def test_the_options_of_a_categorical_share_one_lengthscale():
    space = Space((Continuous("x", 0, 1), Categorical("k", ("a", "b", "c"))))
    history = History(space)
    history.tell(
        Observation(str(i), p, {"z": Measured(p["x"] + len(p["k"]), 0)})
        for i, p in enumerate(space.sample(8, 0))
    )

    belief = believe(history, Objective("z", Goal.MAXIMIZE), warp=True)

    assert len(belief.surrogate.lengths) == 2
    assert {"z.lengthscale.x", "z.lengthscale.k"} <= set(belief.hyperparameters())


def test_where_experiments_fail_it_looks_elsewhere():
    agent = build_agent("bayesian", {"samples": 64}, PLANE, (Objective("z", Goal.MAXIMIZE),), 0)
    failures = 0
    for number in range(14):
        [suggestion] = agent.ask(1)
        point = suggestion.parameters
        fails = point["x"] > 5
        failures += fails
        values = {} if fails else {"z": Measured(point["x"], 0.0)}
        agent.tell([Observation(str(number), point, values, feasible=not fails)])

    assert failures <= 8


def test_nothing_is_drawn_from_a_global_generator():
    import torch

    agent, _, _ = campaign(Goal.MAXIMIZE, hill, 7)
    asked = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        asked.append(agent.ask(2))

    assert asked[0] == asked[1]


def test_a_fit_that_fails_falls_back_to_space_filling_and_says_so(monkeypatch):
    agent, _, _ = campaign(Goal.MAXIMIZE, hill, 6)

    def failing(*_args, **_options):
        raise FitError("no hyperparameters found from 2 starts")

    monkeypatch.setattr(Knowledge, "beliefs", failing)
    agent.tell([])
    [suggestion] = agent.ask(1)

    assert suggestion.model == "sobol (fallback)"
    assert "2 starts" in suggestion.note
    assert PLANE.check(suggestion.parameters) == ()


def test_a_pool_is_searched_without_loading_torch():
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from agents.catalogue import build_agent\n"
        "from agents.protocols import *\n"
        "from agents.space import *\n"
        "pool = tuple({'x': i / 50} for i in range(50))\n"
        "space = Space((Continuous('x', 0, 1),), pool=pool)\n"
        "agent = build_agent('bayesian', {}, space, (Objective('z', Goal.MAXIMIZE),), 1)\n"
        "for i in range(9):\n"
        "    p = agent.ask(1)[0].parameters\n"
        "    agent.tell([Observation(str(i), p, {'z': Measured(-(p['x'] - .3) ** 2, 0)})])\n"
        "print(agent.ask(1)[0].model, 'torch' in sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["gp-matern52/ucb", "False"]


def test_where_nothing_is_gained_every_few_experiments_one_fills_space():
    space = Space((Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)))
    agent = build_agent("bayesian", {"initial": 4}, space, (Objective("z", Goal.MAXIMIZE),), 0)
    chosen, best = [], None
    for number in range(20):
        (suggestion,) = agent.ask(1)
        chosen.append(suggestion.model)
        best = best or suggestion.parameters
        value = 5.0 - math.dist(best.values(), suggestion.parameters.values())
        agent.tell([Observation(str(number), suggestion.parameters, {"z": Measured(value, 0.1)})])

    fillers = [number for number, model in enumerate(chosen) if model == "sobol" and number >= 4]
    assert fillers == [8, 12, 16]
