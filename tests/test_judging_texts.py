"""What a kubelet would mount, to the byte, and where a line of it stands."""

from obsgen.judging import texts

CONFIG = '# says: "100 % sûr"\nserver:\n  port: 3100\n\n\ttabs and trailing  \nlast: ${X}\n'
MANIFEST = """# a comment above
apiVersion: v1
kind: ConfigMap
metadata:
  name: loki-config
data:
  other.yaml: |
    a: 1
  loki.yaml: |
{indented}
---
apiVersion: v1
kind: Service
metadata:
  name: loki
""".replace("{indented}", "\n".join(f"    {line}" if line else "" for line in CONFIG.splitlines()))


def test_a_configmap_entry_is_extracted_to_the_byte() -> None:
    found = {text.name: text.text for text in texts.texts({"logging/loki.yaml": MANIFEST})}
    assert found["logging/loki.yaml#loki-config/loki.yaml"] == CONFIG


def test_a_rendered_file_is_a_text_itself_and_comes_before_what_it_mounts() -> None:
    names = [text.name for text in texts.texts({"b.yaml": MANIFEST, "a.md": "kind: apiVersion:"})]
    assert names == ["a.md", "b.yaml", "b.yaml#loki-config/other.yaml", "b.yaml#loki-config/loki.yaml"]


def test_a_secret_with_plain_strings_is_mounted_too() -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: am}\nstringData:\n  alertmanager.yaml: 'route: {}'\n"
    assert texts.texts({"s.yaml": secret})[1] == ("s.yaml#am/alertmanager.yaml", "route: {}")


def test_a_manifest_is_no_configuration_of_the_same_name() -> None:
    assert [text.name for text in texts.configs({"logging/loki.yaml": MANIFEST}, "loki.yaml")] == [
        "logging/loki.yaml#loki-config/loki.yaml"
    ]


def test_a_raw_file_is_a_configuration() -> None:
    assert [text.name for text in texts.configs({"loki/loki.yaml": CONFIG}, "loki.yaml")] == ["loki/loki.yaml"]


def test_a_file_that_is_no_yaml_mounts_nothing() -> None:
    assert [text.name for text in texts.texts({"x.yaml": "kind: [\napiVersion: v1\n"})] == ["x.yaml"]


def test_a_line_of_an_entry_is_found_in_its_manifest() -> None:
    path, line = texts.place({"m.yaml": MANIFEST}, "m.yaml#loki-config/loki.yaml", 3)
    assert path == "m.yaml"
    assert MANIFEST.splitlines()[line - 1].strip() == "port: 3100"


def test_a_line_of_a_raw_file_is_itself() -> None:
    assert texts.place({"m.yaml": MANIFEST}, "m.yaml", 3) == ("m.yaml", 3)
