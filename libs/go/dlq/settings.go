package dlq

import (
	"time"

	"auralink.example/shared/internal/contract"
)

const (
	bodyLimit   = 256 * 1024 // bytes: one of 8 MB blocks Redis for 117 ms
	replayCap   = 5
	seenSeconds = 86400 // a retry that was cut off between two slots is finished once only within this time
)

// QueueSettings has attempts before a message dies, and the time before a letter is let go.
type QueueSettings struct {
	MaxAttempts int
	Retention   time.Duration
}

// Settings is what observability.yaml says about dead letters, as contract.json carries it.
type Settings struct {
	Queues    map[string]QueueSettings
	Default   QueueSettings // of a queue that isn't declared
	BodyLimit int           // bytes
	ReplayCap int           // a message that comes back after so many replays is quarantined
}

// ReadSettings reads the contract that OBSGEN_CONTRACT names, else that of this release.
func ReadSettings() (Settings, error) {
	found, err := contract.Load()
	if err != nil {
		return Settings{}, err
	}
	settings := Settings{
		Queues:    map[string]QueueSettings{},
		Default:   queueSettings(found.DLQ.Queue),
		BodyLimit: bodyLimit,
		ReplayCap: replayCap,
	}
	for name, queue := range found.DLQ.Queues {
		settings.Queues[name] = queueSettings(queue)
	}
	return settings, nil
}

func queueSettings(queue contract.Queue) QueueSettings {
	settings := QueueSettings{MaxAttempts: 3, Retention: 30 * 24 * time.Hour}
	if queue.MaxAttempts > 0 {
		settings.MaxAttempts = queue.MaxAttempts
	}
	if queue.RetentionSeconds > 0 {
		settings.Retention = time.Duration(queue.RetentionSeconds) * time.Second
	}
	return settings
}

// Of gives a queue's own numbers, else the default.
func (s Settings) Of(queue string) QueueSettings {
	if found, ok := s.Queues[queue]; ok {
		return found
	}
	return s.Default
}
