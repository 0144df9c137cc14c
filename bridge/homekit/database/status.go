package database

// Status is a HAP status code, of a request or of one characteristic in it (HAP R2, table 6-11).
type Status int

// Status codes.
const (
	Success                     Status = 0
	InsufficientPrivileges      Status = -70401
	ServiceCommunicationFailure Status = -70402 // the device does not answer: "No Response"
	ResourceBusy                Status = -70403
	ReadOnly                    Status = -70404
	WriteOnly                   Status = -70405
	NotificationNotSupported    Status = -70406
	OutOfResource               Status = -70407
	OperationTimedOut           Status = -70408
	ResourceDoesNotExist        Status = -70409
	InvalidValueInRequest       Status = -70410
	InsufficientAuthorization   Status = -70411
)

// HTTP statuses that requests to the database are answered with.
const (
	StatusOK          = 200
	StatusNoContent   = 204
	StatusMultiStatus = 207
	StatusBadRequest  = 400
)
