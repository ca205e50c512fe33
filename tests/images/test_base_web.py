"""What web applications of ours begin with: a base path, a home that works, a command filled in."""

from typing import Any

from images.conftest import BASE, ENVIRONMENT, UID

DECODED = BASE.replace("%40", "@")


def printed(network: Any, *command: str, home: str = "rw", **environment: str) -> list[str]:
    """Return the lines, those on standard error too, of a command that the image becomes."""
    output: bytes = network.client.containers.run(
        "remoteapp/base-web",
        list(command),
        user=f"{UID}:{UID}",
        environment=ENVIRONMENT | environment,
        working_dir="/workspace",
        tmpfs={"/workspace": f"uid={UID},gid={UID},mode=0700,{home}"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        remove=True,
        stderr=True,
    )
    return output.decode().splitlines()


def test_the_words_of_the_command_are_filled_in(network: Any) -> None:
    words = ("--base={base_path}/", "{base_path_decoded}", "{user} {session_id}", "{other} $HOME")
    assert printed(network, "printf", r"%s\n", *words, JPY_USER="a & {b}") == [
        f"--base={BASE}/",
        DECODED,
        f"a & {{b}} {ENVIRONMENT['URL_ID']}",
        "{other} $HOME",
    ]


def test_the_command_is_the_process_itself_and_knows_its_path(network: Any) -> None:
    show = "echo $$ $BASE_PATH $BASE_PATH_DECODED $HOME $XDG_CACHE_HOME; pwd; ls -A"
    assert printed(network, "sh", "-c", show) == [
        f"1 {BASE} {DECODED} /workspace /tmp/cache",
        "/workspace",
    ]


def test_outside_a_portal_the_base_path_is_empty(network: Any) -> None:
    assert printed(network, "echo", "{base_path}/", URL_ID="") == ["/"]


def test_of_a_home_that_is_full_it_is_said_and_settings_go_elsewhere(network: Any) -> None:
    said, place = printed(network, "sh", "-c", "touch $HOME/kept && pwd", home="size=4k")
    assert said.startswith(
        "start-web: the home /workspace cannot be written (No space left on device): "
        "settings are kept in /tmp/home-"
    )
    assert place == "/workspace"


def test_of_a_home_that_cannot_be_written_it_is_said(network: Any) -> None:
    said = printed(network, "true", HOME="/")
    assert len(said) == 1
    assert said[0].startswith("start-web: the home / cannot be written (Permission denied): ")
