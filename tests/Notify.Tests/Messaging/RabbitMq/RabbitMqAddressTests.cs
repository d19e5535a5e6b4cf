using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Notify.Messaging.RabbitMq;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class RabbitMqAddressTests
{
    [Theory]
    [InlineData(null, "localhost:5672")]
    [InlineData("amqps://user:secret@broker/host", "broker:5671")]
    [InlineData("amqp://user:secret@a:1/host, amqp://b", "a:1, b:5672")]
    public void Nodes_are_named_without_user_and_password(string? connectionString, string named) => Assert.Equal(named, RabbitMqAddress.Parse(connectionString).ToString());

    [Theory]
    [InlineData("b.example", SslPolicyErrors.None, true)]
    [InlineData("b.example", SslPolicyErrors.RemoteCertificateNameMismatch, true)]
    [InlineData("*.example", SslPolicyErrors.RemoteCertificateNameMismatch, true)]
    [InlineData("c.example", SslPolicyErrors.RemoteCertificateNameMismatch, false)]
    [InlineData("b.example", SslPolicyErrors.RemoteCertificateChainErrors, false)]
    [InlineData("b.example", SslPolicyErrors.RemoteCertificateChainErrors | SslPolicyErrors.RemoteCertificateNameMismatch, false)]
    [InlineData("b.example", SslPolicyErrors.RemoteCertificateNotAvailable, false)]
    public void A_certificate_must_be_vouched_for_and_of_one_of_the_nodes(string name, SslPolicyErrors errors, bool counts)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=broker", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(1));

        Assert.Equal(counts, RabbitMqAddress.Parse("amqps://a.example,amqps://b.example").IsOfNode(this, certificate, null, errors));
    }

    [Theory]
    [InlineData("secret")]
    [InlineData("http://secret@broker")]
    [InlineData("amqp://a,secret")]
    [InlineData(",")]
    public void What_is_no_address_is_refused_by_a_sentence_that_does_not_repeat_it(string connectionString)
    {
        var refused = Assert.Throws<FormatException>(() => RabbitMqAddress.Parse(connectionString));

        Assert.Contains("ConnectionStrings__RabbitMq", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Message, StringComparison.Ordinal);
    }
}
