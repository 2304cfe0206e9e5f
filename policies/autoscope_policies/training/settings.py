"""How a policy is trained: checked on the way in, repeated by the policy's card."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from autoscope.perception.settings import Settings, Share

Algorithm = Literal["maskable_ppo", "ppo", "dqn", "sac"]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, lt=1.0)]


class PPOSettings(Settings):
    """Proximal policy optimisation (Schulman et al. 2017), with action masks or not (Huang & Ontañón 2022).

    Attributes:
        n_steps: steps of each environment between two updates.
        batch: steps in a gradient.
        epochs: passes over the steps of an update.
        gae_lambda: trade of bias against variance of the advantages (Schulman et al. 2016).
        clip_range: how far the probability of an action may move in an update.
        entropy: weight of the entropy of the choices.
        value_weight: weight of the value's loss.
    """

    n_steps: Annotated[int, Field(ge=2)] = 256
    batch: Annotated[int, Field(ge=2)] = 256
    epochs: Count = 10
    gae_lambda: Share = 0.95
    clip_range: Rate = 0.2
    entropy: Annotated[float, Field(ge=0.0)] = 0.005
    value_weight: Annotated[float, Field(ge=0.0)] = 0.5


class DQNSettings(Settings):
    """Deep Q-learning (Mnih et al. 2015), for one choice.

    Attributes:
        buffer: steps that are remembered.
        batch: steps in a gradient.
        learning_starts: steps before the first gradient.
        train_every: steps of each environment between two gradients.
        target_every: steps between two copies to the target network.
        exploration_share: share of all steps in which chance gives way to the network.
        exploration_end: share of actions that are left to chance from then on.
    """

    buffer: Count = 50_000
    batch: Count = 128
    learning_starts: Annotated[int, Field(ge=0)] = 2_000
    train_every: Count = 4
    target_every: Count = 2_000
    exploration_share: Rate = 0.2
    exploration_end: Share = 0.05


class CloningSettings(Settings):
    """Imitation of the hand-written rule before the training proper (behaviour cloning, Pomerleau 1991).

    Attributes:
        steps: environment steps in which the rule acts and is watched; 0 leaves cloning out.
        epochs: passes over what was seen.
        batch: steps in a gradient.
        learning_rate: of these passes.
        smoothing: share of the probability that the clone leaves to all options alike, so that training has
            something to try.
    """

    steps: Annotated[int, Field(ge=0)] = 0
    epochs: Count = 5
    batch: Count = 256
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3
    smoothing: Share = 0.3


class ContrastSettings(Settings):
    """Whole episodes under constant choices, before the training proper; see `contrasts`.

    Attributes:
        worlds: episodes' seeds that are played; 0 leaves contrasts out.
        plays: choices beside the rule's that each is played under.
        epochs: passes over what was seen.
        batch: states in a gradient.
        learning_rate: of these passes.
        weight_decay: of the weights, likewise.
        temperature: gain, relative to the rule's return, that makes an option e times as likely.
        caution: gain that an option must promise beyond the rule's before it is preferred.
    """

    worlds: Annotated[int, Field(ge=0)] = 0
    plays: Count = 6
    epochs: Count = 60
    batch: Count = 64
    learning_rate: Annotated[float, Field(gt=0.0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 1e-2
    temperature: Annotated[float, Field(gt=0.0)] = 0.03
    caution: Annotated[float, Field(ge=0.0)] = 0.02


class TrustSettings(Settings):
    """Which choices are left to the network; see `trusting`.

    Attributes:
        worlds: episodes' seeds in which each choice is tried; 0: everything is left to the network.
        confidence: that a choice which is left to it is better than the rule's.
    """

    worlds: Annotated[int, Field(ge=0)] = 0
    confidence: Share = 0.95


class LearningSettings(Settings):
    """Everything that decides what a training gives, besides environment and seed.

    Attributes:
        algorithm: by which.
        steps: environment steps of the training, at least.
        environments: how many run side by side.
        subprocesses: whether each has a process of its own.
        hidden: widths of the layers between observation and choices.
        activation: between them.
        gamma: what a reward of the next step is worth now.
        learning_rate: at the beginning.
        final_rate: share of it that is left at the end; it falls linearly.
        max_gradient: largest norm of a gradient.
        normalise_reward: whether rewards are divided by the running deviation of the return.
        evaluate_every: steps between two evaluations; each is followed by a checkpoint, and every
            environment then begins a new episode.
        evaluation_episodes: in an evaluation, the same ones each time.
        ppo: of ``maskable_ppo`` and ``ppo``.
        dqn: of ``dqn``.
        cloning: before the training proper.
        contrasts: likewise, after cloning.
        trust: after the training.
    """

    algorithm: Algorithm = "maskable_ppo"
    steps: Annotated[int, Field(ge=0)] = 200_000
    environments: Count = 8
    subprocesses: bool = False
    hidden: tuple[Count, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"
    gamma: Share = 0.999
    learning_rate: Annotated[float, Field(gt=0.0)] = 3e-4
    final_rate: Share = 0.1
    max_gradient: Annotated[float, Field(gt=0.0)] = 0.5
    normalise_reward: bool = True
    evaluate_every: Count = 20_000
    evaluation_episodes: Annotated[int, Field(ge=2)] = 32
    ppo: PPOSettings = PPOSettings()
    dqn: DQNSettings = DQNSettings()
    cloning: CloningSettings = CloningSettings()
    contrasts: ContrastSettings = ContrastSettings()
    trust: TrustSettings = TrustSettings()
