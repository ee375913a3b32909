"""What services share: log lines (`auralink_shared.logging`) after the contract that obsgen renders."""
