"""What the node does with each version follows from the log, and from one rule where the log is silent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inference.domain.deployment import DeploymentEvent
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment
from models.deployed import deployments, precedence
from tests.support.fakes import NOON

ACTIVE, SHADOW, INACTIVE, RECALLED = (
    Deployment.ACTIVE,
    Deployment.SHADOW,
    Deployment.INACTIVE,
    Deployment.RECALLED,
)

Decision = tuple[str, Deployment]


def reference(version: str, model_id: str = "small") -> ModelReference:
    return ModelReference(model_id, version, f"{model_id} {version}")


def log(*decisions: Decision) -> list[DeploymentEvent]:
    return [
        DeploymentEvent(NOON + timedelta(hours=hour), reference(version), deployment, "somebody")
        for hour, (version, deployment) in enumerate(decisions)
    ]


def running(free: list[str], store: list[str], *decisions: Decision) -> dict[str, Deployment]:
    """Give what runs of versions that lie in an open folder and in the store."""
    packages = {reference(version): False for version in free} | {reference(version): True for version in store}
    decided = deployments(packages, log(*decisions))
    assert decided.keys() == packages.keys()
    return {x.version: deployment for x, deployment in decided.items() if deployment in {ACTIVE, SHADOW}}


@pytest.mark.parametrize(
    ("free", "store", "decisions", "expected"),
    [
        (["1.0.0"], [], [], {"1.0.0": ACTIVE}),
        (["1.0.0", "1.10.0", "1.9.0"], [], [], {"1.10.0": ACTIVE}),
        (["1.0.0"], ["2.0.0"], [], {"1.0.0": ACTIVE}),
        ([], ["2.0.0"], [], {}),
    ],
    ids=["alone", "highest", "not the store's", "store alone"],
)
def test_what_is_dropped_in_a_folder_works_without_a_command(
    free: list[str], store: list[str], decisions: list[Decision], expected: dict[str, Deployment]
) -> None:
    """The highest version of the open folders runs; what lies in the store waits to be activated."""
    assert running(free, store, *decisions) == expected


def test_an_activated_version_takes_the_place_of_the_other() -> None:
    """Wherever the two lie; and back again."""
    assert running(["1.0.0"], ["2.0.0"], ("2.0.0", ACTIVE)) == {"2.0.0": ACTIVE}
    assert running(["1.0.0"], ["2.0.0"], ("2.0.0", ACTIVE), ("1.0.0", ACTIVE)) == {"1.0.0": ACTIVE}


def test_an_activation_holds_when_a_higher_version_is_dropped() -> None:
    """Somebody chose; a new folder does not overrule that, nor does the loss of the chosen one."""
    assert running(["1.0.0", "3.0.0"], ["2.0.0"], ("2.0.0", ACTIVE)) == {"2.0.0": ACTIVE}
    assert running(["1.0.0", "3.0.0"], [], ("2.0.0", ACTIVE)) == {}


def test_a_trial_in_shadow_leaves_the_active_version_alone() -> None:
    """While it lasts and when it has ended."""
    assert running(["1.0.0"], ["2.0.0"], ("2.0.0", SHADOW)) == {"1.0.0": ACTIVE, "2.0.0": SHADOW}
    assert running(["1.0.0"], ["2.0.0"], ("2.0.0", SHADOW), ("2.0.0", INACTIVE)) == {"1.0.0": ACTIVE}


def test_a_dropped_version_can_be_put_in_shadow() -> None:
    """The one below it goes on."""
    assert running(["1.0.0", "2.0.0"], [], ("2.0.0", SHADOW)) == {"1.0.0": ACTIVE, "2.0.0": SHADOW}


def test_a_model_that_was_switched_off_stays_off() -> None:
    """Also when a higher version comes with the next release of the node."""
    assert running(["1.0.0"], [], ("1.0.0", INACTIVE)) == {}
    assert running(["1.1.0"], [], ("1.0.0", INACTIVE)) == {}
    assert running(["1.0.0"], [], ("1.0.0", SHADOW), ("1.0.0", INACTIVE), ("1.0.0", INACTIVE)) == {}


def test_nothing_below_a_recalled_version_starts_by_itself() -> None:
    """An older version may have the same fault; a newer one is the mended one."""
    assert running(["1.0.0", "1.1.0"], [], ("1.1.0", RECALLED)) == {}
    assert running(["1.0.0"], [], ("1.1.0", RECALLED)) == {}
    assert running(["1.2.0"], [], ("1.1.0", RECALLED)) == {"1.2.0": ACTIVE}


def test_models_do_not_touch_each_other() -> None:
    """What was decided about one says nothing about another."""
    packages = {reference("1.0.0"): False, reference("1.0.0", "other"): False}
    assert deployments(packages, log(("1.0.0", RECALLED))) == {
        reference("1.0.0"): RECALLED,
        reference("1.0.0", "other"): ACTIVE,
    }


def test_versions_have_the_order_of_semantic_versioning() -> None:
    """The example of item 11 of its specification, and numbers of several digits."""
    ordered = [
        *("0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
        *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0"),
    ]
    assert sorted(set(ordered), key=precedence) == ordered
