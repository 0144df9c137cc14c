#!/bin/sh
# A mapper as people write them in an afternoon: two of Mosquitto's clients, one connection for each report, the device
# named without a namespace, no wish ids, no word of its presence. Its relay is a file that holds ON or OFF.
#
#   mapper.sh HOST PORT DEVICE RELAY
set -eu
host=$1 port=$2 device=$3 relay=$4
topic="\$hw/events/device/$device/twin/update"

report() {
	mosquitto_pub -h "$host" -p "$port" -t "$topic" -m \
		"{\"event_id\":\"\",\"timestamp\":0,\"twin\":{\"powerstatus\":{\"actual\":{\"value\":\"$(cat "$relay")\"},\"metadata\":{\"type\":\"Updated\"}}}}"
}

report
mosquitto_sub -h "$host" -p "$port" -t "$topic/delta" | while read -r delta; do
	value=$(printf '%s' "$delta" | sed -n 's/.*"delta": *{[^}]*"powerstatus": *"\([A-Z]*\)".*/\1/p')
	case $value in
	ON | OFF)
		echo "$value" >"$relay"
		echo "relay $value"
		report
		;;
	esac
done
