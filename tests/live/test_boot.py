from pathlib import Path
from . import stage as stages

VALUES = {"slack-webhook": "https://hooks.slack.com/services/T0/B0/platform", "slack-webhook-ai": "https://hooks.slack.com/services/T0/B0/ai", "watchdog-url": "https://watchdog.example.com/ping"}

def test_boot():
    with stages.staged(Path("rendered/dev").absolute(), VALUES) as stage:
        for app in ("alertmanager", "prometheus", "dlq-redis"):
            print(app, stage.await_ready(app))
        print(stage.state())
        stage.sinks.await_(lambda: any(one.channel == "watchdog" for one in stage.sinks.told), 200, "watchdog")
        print(stage.sinks.told)
        print(stage.state())
