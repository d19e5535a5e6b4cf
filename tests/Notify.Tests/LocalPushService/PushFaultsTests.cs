using System.Net;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

public sealed class PushFaultsTests : LocalPushTest
{
    [Fact]
    public async Task A_status_strikes_as_often_as_told_and_delivers_nothing()
    {
        PushService.Faults.Add(new PushFault { Status = 503, RetryAfter = "120", Times = 2 });
        for (int i = 0; i < 2; i++)
        {
            using HttpResponseMessage response = await ApplicationServer.SendAsync(Subscription, "struck");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.Equal("120", Assert.Single(response.Headers.GetValues("Retry-After")));
            Assert.Contains("\"errno\":201", await response.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        }

        await AssertAcceptedAsync();
        Assert.Empty(PushService.Faults.Active);
        Assert.Equal(2, PushService.Status.AnswersByStatus[503]);
    }

    [Fact]
    public async Task A_status_of_success_is_answered_and_nothing_delivered()
    {
        PushService.Faults.Add(new PushFault { Status = 201 });
        using HttpResponseMessage response = await ApplicationServer.SendAsync(Subscription, "orphaned");
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        await AssertAcceptedAsync();
    }

    [Fact]
    public async Task Retry_After_and_body_are_sent_verbatim()
    {
        PushService.Faults.Add(new PushFault { Status = 429, RetryAfter = "Fri, 31 Dec 1999 23:59:59 GMT", Body = "slow down" });
        using HttpResponseMessage response = await ApplicationServer.SendAsync(Subscription, "struck");
        Assert.Equal("Fri, 31 Dec 1999 23:59:59 GMT", Assert.Single(response.Headers.NonValidated["Retry-After"]));
        Assert.Equal("slow down", await response.Content.ReadAsStringAsync(Ct));
    }

    [Fact]
    public async Task A_reset_ends_the_connection_without_an_answer()
    {
        PushService.Faults.Add(new PushFault { Reset = true });
        await Assert.ThrowsAsync<HttpRequestException>(() => ApplicationServer.SendAsync(Subscription, "struck"));
        Assert.Equal(1, PushService.Status.Resets);
        await AssertAcceptedAsync();
    }

    [Fact]
    public async Task Gone_is_for_ever_and_the_user_agent_is_not_told()
    {
        PushService.Faults.Add(new PushFault { Gone = true });
        for (int i = 0; i < 2; i++)
        {
            using HttpResponseMessage response = await ApplicationServer.SendAsync(Subscription, "struck");
            Assert.Equal(HttpStatusCode.Gone, response.StatusCode);
        }

        Assert.Equal(0, PushService.SubscriptionCount);
        Assert.Equal(1, PushService.Status.ConnectedUserAgents);
        Assert.False(UserAgent.Received.TryRead(out _));
    }

    [Fact]
    public async Task A_delay_alone_is_a_slow_acceptance()
    {
        PushService.Faults.Add(new PushFault { Delay = TimeSpan.FromSeconds(30) });
        Task<HttpResponseMessage> sending = ApplicationServer.SendAsync(Subscription, "slow");
        await Eventually.TrueAsync(() => PushService.Faults.Active.Count == 0);
        Assert.False(sending.IsCompleted);

        // The rule is gone a moment before the timer is set, so the clock goes on until it has struck.
        await Eventually.TrueAsync(() =>
        {
            Time.Advance(TimeSpan.FromSeconds(30));
            return sending.IsCompleted;
        });
        using HttpResponseMessage response = await sending;
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("slow", await NextTextAsync());
    }

    [Fact]
    public async Task The_first_that_matches_strikes_and_another_endpoints_does_not()
    {
        PushService.Faults.Add(new PushFault { Endpoint = "http://localhost/other", Status = 500 });
        PushService.Faults.Add(new PushFault { Endpoint = Subscription.Endpoint, Status = 502 });
        PushService.Faults.Add(new PushFault { Status = 504, Times = int.MaxValue });
        using HttpResponseMessage first = await ApplicationServer.SendAsync(Subscription, "struck");
        using HttpResponseMessage second = await ApplicationServer.SendAsync(Subscription, "struck");
        using HttpResponseMessage third = await ApplicationServer.SendAsync(Subscription, "struck");
        Assert.Equal([502, 504, 504], [(int)first.StatusCode, (int)second.StatusCode, (int)third.StatusCode]);

        PushService.Faults.Clear();
        await AssertAcceptedAsync();
    }

    [Fact]
    public async Task A_probability_strikes_some_and_not_all()
    {
        PushService.Faults.Add(new PushFault { Status = 500, Times = int.MaxValue, Probability = 0.5 });
        for (int i = 0; i < 100; i++)
        {
            (await ApplicationServer.SendAsync(Subscription, "maybe")).Dispose();
        }

        Assert.InRange(PushService.AcceptedCount, 25, 75);
        Assert.Equal(100 - PushService.AcceptedCount, PushService.Status.AnswersByStatus[500]);
    }

    [Fact]
    public async Task A_fault_never_hides_a_bad_push_message()
    {
        PushService.Faults.Add(new PushFault { Status = 503 });
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.Headers.Remove("TTL");
        using HttpResponseMessage response = await ApplicationServer.SendAsync(request);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Single(PushService.Faults.Active);
    }

    [Fact]
    public void A_fault_that_contradicts_itself_is_refused()
    {
        PushFault[] wrong =
        [
            new(),
            new() { Status = 500, Gone = true },
            new() { Status = 99 },
            new() { Status = 600 },
            new() { Delay = TimeSpan.FromSeconds(-1) },
            new() { Reset = true, Times = 0 },
            new() { Reset = true, Probability = 0 },
            new() { Reset = true, Probability = double.NaN },
            new() { Reset = true, RetryAfter = "1" },
            new() { Status = 429, RetryAfter = "1\r\nX: y" },
            new() { Status = 204, Body = "none" },
        ];
        Assert.All(wrong, fault => Assert.Throws<ArgumentException>(() => PushService.Faults.Add(fault)));
        Assert.Empty(PushService.Faults.Active);
    }

    private async Task AssertAcceptedAsync()
    {
        using HttpResponseMessage response = await ApplicationServer.SendAsync(Subscription, "accepted");
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("accepted", await NextTextAsync());
    }
}
