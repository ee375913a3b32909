package logging

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The programs of README.md are built where they could stand; the first one runs.
func TestTheExamplesOfTheReadmeRun(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(examples) != 2 {
		t.Fatalf("%d examples", len(examples))
	}
	var said []byte
	for at, one := range examples {
		folder := t.TempDir()
		main, overlay, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "overlay.json"), filepath.Join(folder, "program")
		there, _ := filepath.Abs("../internal/readme/main.go")
		text, _ := json.Marshal(map[string]any{"Replace": map[string]string{there: main}})
		for path, content := range map[string][]byte{main: one[1], overlay: text} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		build := exec.Command("go", "build", "-overlay", overlay, "-o", program, "./internal/readme")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s\n%s", err, out)
		}
		if at == 0 {
			said, err = exec.Command(program).Output()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	for at, want := range []string{`"context":{"participants":3,"room_id":"room_xyz"}`, `"error":"no capacity"`, `"context":{"duration_ms":4200}`} {
		var line struct {
			TraceID string `json:"trace_id"`
			UserID  string `json:"user_id"`
		}
		if err := json.Unmarshal([]byte(lines[at]), &line); err != nil || line.TraceID == zeros || line.UserID != "user_789" ||
			!strings.Contains(lines[at], want) {
			t.Error(lines[at])
		}
	}
}
