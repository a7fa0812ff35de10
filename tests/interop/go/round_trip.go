// What a program written with amqp091-go does with a broker, told as one JSON object on standard output.
//
//	round_trip URL NAME
//
// NAME is free to use for a queue and an exchange, which are deleted again. The test that runs this says what the
// values must be.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const messages = 200

var headers = amqp.Table{
	"text":     "h\u00e9llo",
	"byte":     byte(200),
	"short":    int16(-300),
	"whole":    int32(42),
	"large":    int64(5000000000),
	"fraction": 0.5,
	"single":   float32(0.25),
	"yes":      true,
	"nothing":  nil,
	"when":     time.Unix(1700000000, 0),
	"raw":      []byte{0, 1, 255},
	"list":     []interface{}{int32(1), "two", false},
	"nested":   amqp.Table{"inner": amqp.Table{"deep": "value"}},
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func open(connection *amqp.Connection) *amqp.Channel {
	channel, err := connection.Channel()
	must(err)
	return channel
}

func publish(channel *amqp.Channel, exchange, key, body string, mandatory bool) {
	message := amqp.Publishing{
		DeliveryMode: amqp.Persistent, Headers: headers, ContentType: "text/plain", Body: []byte(body),
	}
	must(channel.PublishWithContext(context.Background(), exchange, key, mandatory, false, message))
}

// confirms takes notice of confirms by a channel, as in this version of the client a DeferredConfirmation waits for
// ever when the confirm comes before the client has made it.
func confirms(channel *amqp.Channel, count int) chan amqp.Confirmation {
	must(channel.Confirm(false))
	return channel.NotifyPublish(make(chan amqp.Confirmation, count))
}

func publishAll(connection *amqp.Connection, exchange string) int {
	channel := open(connection)
	confirmations := confirms(channel, messages)
	for number := 0; number < messages; number++ {
		publish(channel, exchange, "a.b.c", fmt.Sprintf("message %d", number), false)
	}
	confirmed := 0
	for number := 0; number < messages; number++ {
		if confirmation := <-confirmations; confirmation.Ack {
			confirmed++
		}
	}
	must(channel.Close())
	return confirmed
}

func consumeAll(connection *amqp.Connection, queue string) (bodies []string, last amqp.Delivery) {
	channel := open(connection)
	must(channel.Qos(10, 0, false))
	deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
	must(err)
	for delivery := range deliveries {
		bodies = append(bodies, string(delivery.Body))
		last = delivery
		must(delivery.Ack(false))
		if len(bodies) == messages {
			break
		}
	}
	must(channel.Close())
	return
}

func unroutable(connection *amqp.Connection, exchange string) []interface{} {
	channel := open(connection)
	confirmations := confirms(channel, 1)
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	publish(channel, exchange, "nobody", "lost", true)
	returned := <-returns
	confirmed := (<-confirmations).Ack
	must(channel.Close())
	return []interface{}{returned.ReplyCode, returned.ReplyText, string(returned.Body), confirmed}
}

func missingQueue(connection *amqp.Connection, name string) []interface{} {
	_, err := open(connection).QueueDeclarePassive(name, false, false, false, false, nil)
	refusal := err.(*amqp.Error)
	return []interface{}{refusal.Code, refusal.Reason}
}

func transaction(connection *amqp.Connection, queue string) []int {
	channel := open(connection)
	must(channel.Tx())
	counts := []int{}
	count := func() {
		inspected, err := channel.QueueInspect(queue)
		must(err)
		counts = append(counts, inspected.Messages)
	}
	send := func() {
		message := amqp.Publishing{Body: []byte("in a transaction")}
		must(channel.PublishWithContext(context.Background(), "", queue, false, false, message))
	}
	send()
	must(channel.TxRollback())
	count()
	send()
	count()
	must(channel.TxCommit())
	count()
	must(channel.Close())
	return counts
}

// same reports by header whether it came back with the type and value that it was sent with.
func same(received amqp.Table) map[string]bool {
	result := map[string]bool{}
	for name, sent := range headers {
		result[name] = fmt.Sprintf("%T %v", sent, sent) == fmt.Sprintf("%T %v", received[name], received[name])
	}
	return result
}

func main() {
	url, name := os.Args[1], os.Args[2]
	connection, err := amqp.Dial(url)
	must(err)
	channel := open(connection)
	must(channel.ExchangeDeclare(name, "topic", false, true, false, false, nil))
	_, err = channel.QueueDeclare(name, true, false, false, false, amqp.Table{"x-ours": "kept"})
	must(err)
	must(channel.QueueBind(name, "a.#", name, false, nil))

	confirmed := publishAll(connection, name)
	bodies, last := consumeAll(connection, name)
	result := map[string]interface{}{
		"confirmed": confirmed,
		"bodies":    bodies,
		"same":      same(last.Headers),
		"returned":  unroutable(connection, name),
		"missing":   missingQueue(connection, name+"-missing"),
		"counts":    transaction(connection, name),
	}
	_, err = channel.QueueDelete(name, false, false, false)
	must(err)
	must(connection.Close())
	must(json.NewEncoder(os.Stdout).Encode(result))
}
