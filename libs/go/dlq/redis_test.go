package dlq

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A real redis-server on loopback, asked as the user `dlq` of the rendered ACL. Without one these tests skip, saying so;
// with OBSGEN_REQUIRE_JUDGES=1 they fail instead. Looked for in the cache that `make tools` fills, then in PATH.

const (
	password = "as in the Secret"
	queue    = "rooms:create"
	other    = "webhooks:deliver"
	root     = "../../.."
)

// What is promised, by its name in the cache and in PATH; the first one is the oldest.
var servers = [][2]string{{"redis-server-7.*", "redis-server"}, {"redis8-server-8.*", ""}, {"valkey-server-*", "valkey-server"}}

func serverProgram(t testing.TB, which [2]string) string {
	t.Helper()
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, _ := os.UserHomeDir()
		cache = filepath.Join(home, ".cache")
	}
	if found, _ := filepath.Glob(filepath.Join(cache, "obsgen", "bin", which[0])); len(found) > 0 {
		return found[0]
	}
	if found, err := exec.LookPath(which[1]); err == nil {
		return found
	}
	said := which[0] + " is not here, so nothing was asked of a real one (make tools)"
	if os.Getenv("OBSGEN_REQUIRE_JUDGES") == "1" {
		t.Fatal(said)
	}
	t.Skip(said)
	return ""
}

// rights of the user `dlq` as the rendered start script gives them.
func rights(t testing.TB) []any {
	t.Helper()
	words := []any{"ACL", "SETUSER", "dlq", "on", ">" + password, "resetkeys", "resetchannels", "-@all"}
	for _, part := range [][2]string{{"~", "keys.txt"}, {"+", "commands.txt"}} {
		file, err := os.Open(filepath.Join(root, "rendered", "local", "dlq", part[1]))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			if fields := strings.Fields(lines.Text()); len(fields) > 0 && fields[0][0] != '#' {
				words = append(words, part[0]+fields[0])
			}
		}
		_ = file.Close()
	}
	return words
}

type server struct {
	port    int
	process *exec.Cmd
	root    *redis.Client // as the default user, which only tests have
}

func start(t testing.TB, options ...string) *server {
	t.Helper()
	return startKind(t, servers[0], options...)
}

func startKind(t testing.TB, which [2]string, options ...string) *server {
	t.Helper()
	one := &server{port: freePort(t)}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"--port", fmt.Sprint(one.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
		"--appendfsync", "always", "--maxmemory-policy", "noeviction"}
	one.process = exec.Command(serverProgram(t, which), append(words, options...)...)
	one.process.Dir, one.process.Stdout, one.process.Stderr = filepath.Dir(log.Name()), log, log
	if err := one.process.Start(); err != nil {
		t.Fatal(err)
	}
	one.root = redis.NewClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", one.port), MaxRetries: -1})
	t.Cleanup(func() {
		_ = one.root.Close()
		one.kill()
	})
	await(t, func() bool { return one.root.Ping(t.Context()).Err() == nil })
	if err := one.root.Do(t.Context(), rights(t)...).Err(); err != nil {
		t.Fatal(err)
	}
	return one
}

func (s *server) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

func (s *server) connect(t testing.TB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: s.root.Options().Addr, Username: "dlq", Password: password, MaxRetries: -1,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// freePort has a neighbour 10,000 above, where nodes of a Cluster talk, that is free as well. The tests in Python begin
// lower.
func freePort(t testing.TB) int {
	t.Helper()
	for port := 31_000; port < 32_700; port++ {
		one, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+10_000))
		_ = one.Close()
		if err == nil {
			_ = next.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func await(t testing.TB, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to be within 30 seconds")
		}
	}
}

// cluster has three nodes: a queue and its letters hash to different slots, so a retry takes three steps.
func cluster(t testing.TB) ([]*server, *redis.ClusterClient) {
	t.Helper()
	var nodes []*server
	var places []string
	for number := range 3 {
		node := start(t, "--cluster-enabled", "yes")
		last := (number+1)*5461 - 1
		if number == 2 {
			last = 16383
		}
		nodes, places = append(nodes, node), append(places, node.root.Options().Addr)
		must(t, node.root.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", number*5461, last).Err())
		must(t, node.root.Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", nodes[0].port).Err())
	}
	for _, node := range nodes {
		await(t, func() bool {
			info := node.root.ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: places, Username: "dlq", Password: password})
	t.Cleanup(func() { _ = client.Close() })
	return nodes, client
}

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

var declared = Settings{
	Queues:  map[string]QueueSettings{queue: {MaxAttempts: 3}, other: {MaxAttempts: 5}},
	Default: QueueSettings{MaxAttempts: 3}, BodyLimit: bodyLimit, ReplayCap: replayCap,
}

func letters(t testing.TB, client redis.UniversalClient) (*DLQ, *clock) {
	t.Helper()
	now := &clock{time.UnixMilli(1_780_000_000_000)}
	found, err := New(client, Options{
		Settings: &declared, Spool: NewSpool(filepath.Join(t.TempDir(), "spool")), Now: now.Now,
		SpoolEvery: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	t.Cleanup(found.Close)
	return found, now
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func queued(t testing.TB, client redis.UniversalClient, queue string) (found []string) {
	t.Helper()
	for {
		one, err := client.RPop(context.Background(), queue).Result()
		if err == redis.Nil {
			return found
		}
		must(t, err)
		found = append([]string{one}, found...)
	}
}
