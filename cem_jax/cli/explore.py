"""The command that makes maps while one looks: `explore`."""

from pathlib import Path
from typing import Annotated

import typer

import cem_jax as cem
from cem_jax.cli.make import network_loader
from cem_jax.cli.options import MODEL, SET, parse_set
from cem_jax.cli.output import say
from cem_jax.cli.places import check_file, check_place
from cem_jax.cli.start import start_jax

app = typer.Typer()


@app.command(epilog="Example: cem-jax explore photo.png --model DnCNN-compact")
def explore(
    context: typer.Context,
    image: Annotated[
        Path | None, typer.Argument(help="A clean photograph, to choose beside the bundled ones.")
    ] = None,
    model: Annotated[str | None, MODEL] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Checkpoint of --model; without --model, its network is recognised."),
    ] = None,
    told: Annotated[list[str] | None, SET] = None,
    module: Annotated[
        str | None,
        typer.Option(help="A function that makes the network; see `cem-jax map --help`."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="What that network is called.")] = None,
    port: Annotated[
        int, typer.Option(help="Port of the page; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
) -> None:
    """Serve a page on which you drag a region and watch its map.

    Only this machine can reach the page, and only with the address that is printed. Ctrl-C ends it.
    """
    check_file("", image)
    check_place("--weights", weights)
    arguments = parse_set(told or ())
    given = any(one is not None for one in (model, weights, module))
    make = network_loader(model, weights, module, label, arguments) if given else None
    photographs = [] if image is None else [(str(image), cem.open_image(image))]
    start_jax(context)
    from cem_jax.explore.asked import Photograph
    from cem_jax.explore.server import Server
    from cem_jax.explore.session import Choice, Session, bundled

    choices = bundled()
    if make is not None:
        network = make()
        given = {"--model": model, "--weights": weights, "--module": module, "--label": label}
        pairs = [(name, str(value)) for name, value in given.items() if value is not None]
        pairs += [("--set", f"{key}={value}") for key, value in arguments.items()]
        options = tuple(word for pair in pairs for word in pair)
        tasks = cem.models.describe(model).tasks if model is not None else ()
        own = {network.name: Choice(tuple(tasks), lambda: network, options)}
        choices = own | {name: one for name, one in choices.items() if name not in own}
    session = Session(choices, [Photograph(name, pixels) for name, pixels in photographs])
    with Server(session, port) as server:
        say(f"Open {server.address}\nCtrl-C ends it.")
        if open_browser:
            import webbrowser

            webbrowser.open(server.address)
        server.serve_forever()
